"""One test that every backbone of the registry passes, and the weight files against those that Keras asks for."""

import keras
import numpy as np
import pytest

from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.backbones.transformers.swin_transformer import SwinTransformer
from breastcls.models.backbones.transformers.vision_transformer import VisionTransformer
from breastcls.models.building import build_model
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import find_backbone, split_model
from breastcls.models.persistence import load_model, save_model
from breastcls.models.stages import list_stages, set_trainable

FAST = ("cnn4", "cancernet", "squeezenet", "vgg16", "mobilenet", "mobilenetv3small")
# Larger sisters, made by the same code and described by the same entry: what is said of the smaller one holds for them.
SISTERS = {
    *("resnet101", "resnet152", "resnet101v2", "resnet152v2", "densenet169", "densenet201"),
    *(f"efficientnetb{number}" for number in range(1, 8)),
    *("efficientnetv2b1", "efficientnetv2b2", "efficientnetv2b3", "efficientnetv2s", "efficientnetv2l"),
    *("convnextsmall", "convnextbase", "convnextlarge", "convnextxlarge", "nasnetlarge"),
    *("resnet34", "resnet34v2", *(f"cspdarknet-{size}" for size in ("s", "m", "l", "xl"))),
    *(f"{family}-b{number}" for family in ("efficientnetlite", "mit") for number in range(1, 6)),
}

every = [
    pytest.param(name, marks=() if name in FAST else pytest.mark.slow)
    for name, entry in BACKBONES.items()
    if name not in SISTERS and not isinstance(entry.factory, VisionTransformer | SwinTransformer)
]


@pytest.fixture(autouse=True)
def _forget_models():
    yield
    keras.backend.clear_session()


@pytest.mark.parametrize("name", every)
def test_every_backbone(name, tmp_path):
    entry = BACKBONES[name]
    size = entry.minimum_size
    model = build_model(name, classes=("a", "b", "c"), image_size=size, weights=None, seed=1)
    images = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    probabilities = np.asarray(model(images))
    assert probabilities.shape == (2, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)

    backbone = find_backbone(model)
    last = backbone if entry.last_convolution is None else backbone.get_layer(entry.last_convolution)
    assert len(last.output.shape) == 4
    stages = list_stages(model)
    assert all(stages)
    assert sum(map(len, stages)) == len(backbone.layers)

    counts = [set_trainable(model, depth) for depth in ("head", *range(1, len(entry.stages) + 1), "all")]
    assert counts == sorted(set(counts)), "each stage must add weights"
    assert set_trainable(model, "last-stage") == counts[1]

    features, head = split_model(model)
    np.testing.assert_allclose(np.asarray(head(features(images))), probabilities, rtol=1e-5, atol=1e-6)

    loaded = load_model(save_model(model, tmp_path / "model.keras"))
    np.testing.assert_array_equal(np.asarray(loaded(images)), probabilities)
    assert get_card(loaded) == get_card(model)
    assert [weight.trainable for weight in loaded.weights] == [weight.trainable for weight in model.weights]


class AskedForError(Exception):
    pass


ASKED = [
    *((name, 32, {}) for name in ("vgg16", "vgg19", "resnet50", "resnet50v2", "efficientnetb0", "efficientnetv2b0")),
    *((name, 32, {}) for name in ("densenet121", "densenet169", "densenet201", "efficientnetv2s", "convnexttiny")),
    *((name, 75, {}) for name in ("xception", "inceptionv3", "inceptionresnetv2")),
    ("nasnetmobile", 224, {}),
    ("mobilenet", 224, {}),
    ("mobilenet", 128, {"alpha": 0.25}),
    ("mobilenetv2", 224, {}),
    ("mobilenetv2", 96, {"alpha": 1.4}),
    ("mobilenetv3small", 32, {}),
    ("mobilenetv3small", 32, {"minimalistic": True}),
    ("mobilenetv3large", 32, {"alpha": 0.75}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size", "options"), ASKED)
def test_weight_files_are_those_of_keras(name, size, options, monkeypatch):
    from keras.src.utils import file_utils

    asked = []

    def record(fname, origin, cache_subdir, file_hash=None):
        assert cache_subdir == "models"
        asked.append((fname, origin, file_hash))
        raise AskedForError

    monkeypatch.setattr(file_utils, "get_file", record)
    # The modules of the families bear the same names in lower case: vgg16.VGG16.
    constructors = {key.lower(): value for key, value in vars(keras.applications).items() if callable(value)}
    with pytest.raises(AskedForError):
        constructors[name](include_top=False, weights="imagenet", input_shape=(size, size, 3), **options)
    file = BACKBONES[name].pretrained((size, size), options)
    assert (file.name, file.url, file.digest) == asked[0]


def test_digests_are_those_of_keras():
    from keras.src.applications import convnext, efficientnet, efficientnet_v2, resnet

    known = {name: value for name, value in resnet.WEIGHTS_HASHES.items() if name in BACKBONES}
    known |= {f"efficientnet{key}": value for key, value in efficientnet.WEIGHTS_HASHES.items()}
    known |= {f"efficientnetv2{key.strip('-')}": value for key, value in efficientnet_v2.WEIGHTS_HASHES.items()}
    known |= {key.replace("_", ""): value for key, value in convnext.WEIGHTS_HASHES.items()}
    assert len(known) == 6 + 8 + 7 + 5
    found = {name: BACKBONES[name].pretrained((224, 224), {}).digest for name in known}
    assert found == {name: digests[1] for name, digests in known.items()}


@pytest.mark.slow
def test_the_stages_of_a_large_network_exist():
    # The one sister with stages of its own: it has other numbers of cells.
    model = build_model("nasnetlarge", classes=("a", "b"), image_size=32, weights=None)
    assert len(list_stages(model)) == 3


def test_other_image_sizes_use_the_file_for_224():
    assert "_224_" in BACKBONES["mobilenet"].pretrained((100, 100), {}).name
    assert "_128_" in BACKBONES["mobilenet"].pretrained((128, 128), {}).name
    assert "_224_" in BACKBONES["mobilenet"].pretrained((128, 160), {}).name
