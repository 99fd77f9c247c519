import time

import keras
import numpy as np
import pytest

from breastcls.errors import WeightsError
from breastcls.models.backbones import pretrained_weights as weights_module
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.backbones.pretrained_weights import find_imagenet_weights, weights_folder
from breastcls.models.building import build_model
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import find_backbone

CLASSES = ("benign", "malignant")


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras").mkdir()


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise Exception(f"URL fetch failure on {args[1]}: None -- [Errno -2] Name or service not known")

    monkeypatch.setattr(keras.utils, "get_file", refuse)


def small_file(path, alpha=0.25, include_top=False):
    model = keras.applications.MobileNet(
        alpha=alpha, include_top=include_top, weights=None, input_shape=(32, 32, 3), classes=10
    )
    model.save_weights(path)
    return model


def build(path, **options):
    return build_model("mobilenet", classes=CLASSES, weights=path, **{"alpha": 0.25, "image_size": 32, **options})


def test_weights_from_a_file_at_another_size(tmp_path):
    path = tmp_path / "own.weights.h5"
    expected = small_file(path)
    model = build(path, image_size=64)
    for found, stored in zip(find_backbone(model).get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(found, stored)
    card = get_card(model)
    assert card.weights == "own.weights.h5"
    assert len(card.provenance["weights_sha256"]) == 64


@pytest.mark.real
@pytest.mark.parametrize("size", [224, 96])
def test_the_published_mobilenet_file(real_data, size):
    path = real_data / "weights" / "mobilenet_2_5_224_tf_no_top.h5"
    ours = build_model("mobilenet", alpha=0.25, classes=CLASSES, image_size=size, weights=str(path))
    reference = keras.applications.MobileNet(
        alpha=0.25, include_top=False, weights=str(path), input_shape=(size, size, 3)
    )
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3)).astype("float32")
    expected = reference(keras.applications.mobilenet.preprocess_input(images.copy()), training=False)
    inner = keras.Model(ours.inputs[0], ours.get_layer("pool").input)
    np.testing.assert_allclose(np.asarray(inner(images)), np.asarray(expected), atol=1e-3)


def test_a_file_of_other_options(tmp_path):
    small_file(tmp_path / "wide.weights.h5", alpha=0.5)
    with pytest.raises(WeightsError, match=r"wide\.weights\.h5 does not match .*alpha"):
        build(tmp_path / "wide.weights.h5")


@pytest.mark.real
def test_the_published_file_for_another_alpha(real_data):
    path = real_data / "weights" / "mobilenet_2_5_224_tf_no_top.h5"
    with pytest.raises(WeightsError, match="alpha"):
        build(path, alpha=0.5)
    with pytest.raises(WeightsError, match="does not match"):
        build_model("vgg16", classes=CLASSES, image_size=32, weights=path)


def test_a_file_with_classification_layers(tmp_path):
    path = tmp_path / "top.h5"
    model = keras.applications.MobileNet(alpha=0.25, weights=None, input_shape=(32, 32, 3), classes=10)
    model.save(path)
    with pytest.raises(WeightsError, match="without the classification layers"):
        build(path)


def test_missing_damaged_and_foreign_files(tmp_path):
    with pytest.raises(WeightsError, match="found nothing"):
        build(tmp_path / "none.h5")
    with pytest.raises(WeightsError, match="found a folder"):
        build(tmp_path)
    (tmp_path / "text.h5").write_text("no weights", encoding="utf-8")
    with pytest.raises(WeightsError, match=r"text\.h5 does not match"):
        build(tmp_path / "text.h5")
    small_file(tmp_path / "whole.weights.h5")
    whole = (tmp_path / "whole.weights.h5").read_bytes()
    (tmp_path / "cut.weights.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"cut\.weights\.h5 does not match"):
        build(tmp_path / "cut.weights.h5")
    (tmp_path / "weights.pt").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"\.h5"):
        build(tmp_path / "weights.pt")


def test_without_a_network_the_error_names_file_and_folder(no_network):
    with pytest.raises(WeightsError) as caught:
        build_model("resnet50", classes=CLASSES, image_size=32)
    message = str(caught.value)
    name = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert f"https://storage.googleapis.com/tensorflow/keras-applications/resnet/{name}" in message
    assert str(weights_folder() / name) in message
    assert f"weights='<folder>/{name}'" in message


def test_an_unreachable_address_is_an_error_within_seconds(monkeypatch):
    import socket

    def refuse(*args, **kwargs):
        raise OSError("unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    before = socket.getdefaulttimeout()
    start = time.perf_counter()
    with pytest.raises(WeightsError, match="could not be downloaded"):
        find_imagenet_weights(BACKBONES["squeezenet"], (224, 224), {})
    assert time.perf_counter() - start < 10
    assert socket.getdefaulttimeout() == before


def test_a_file_in_the_cache_is_used_without_network(no_network):
    weights_folder().mkdir()
    name = BACKBONES["mobilenet"].pretrained((32, 32), {"alpha": 0.25}).name
    model = keras.applications.MobileNet(alpha=0.25, include_top=False, weights=None, input_shape=(32, 32, 3))
    path = weights_folder() / name
    model.save_weights(path.with_suffix(".weights.h5"))
    model.save(path)
    ours = build("imagenet")
    np.testing.assert_array_equal(find_backbone(ours).get_weights()[0], model.get_weights()[0])
    assert get_card(ours).weights == "imagenet"


def test_a_damaged_file_in_the_cache_is_named(no_network):
    weights_folder().mkdir()
    name = BACKBONES["squeezenet"].pretrained((224, 224), {}).name
    (weights_folder() / name).write_bytes(b"half a download")
    with pytest.raises(WeightsError, match="is damaged or is not the published file"):
        build_model("squeezenet", classes=CLASSES)


def test_weights_that_are_not_published():
    with pytest.raises(WeightsError, match=r"alpha 0\.25, 0\.5, 0\.75, 1\.0"):
        build("imagenet", alpha=0.3)
    with pytest.raises(WeightsError, match="depth_multiplier"):
        build("imagenet", depth_multiplier=2)
    with pytest.raises(WeightsError, match=r"Published: alpha 1\.0"):
        build_model("mobilenetv3small", classes=CLASSES, weights="imagenet", alpha=0.75, minimalistic=True)


def test_the_folder_follows_keras_home(tmp_path):
    assert weights_folder() == tmp_path / "keras" / "models"
    assert weights_module._TIMEOUT_SECONDS < 60
