"""What the architectures of KerasCV do beyond the test that every backbone passes."""

import subprocess
import sys
from importlib import import_module

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import ModelError
from breastcls.models.backbones.backbone import NORM_MOMENTUM
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.keras_internals import flatten_layers
from breastcls.models.model_parts import find_backbone
from breastcls.training.optimizers import layer_shares

CLASSES = ("benign", "malignant")
# One whose layers are all of Keras, and the only one with layers of KerasCV that no other family has.
SIZES = {"efficientnetlite-b0": 32, "mit-b0": 64}

LOADED = """
import sys
import numpy as np
import breastcls as bc

folder, names = sys.argv[1], sys.argv[2:]
assert "keras_cv" not in sys.modules and len(bc.list_backbones()) > 40 and "keras_cv" not in sys.modules
images = np.load(f"{folder}/images.npy")
for name in names:
    model = bc.load_model(f"{folder}/{name}.keras")
    size = model.input_shape[1]
    np.testing.assert_array_equal(model.predict(images[:, :size, :size], verbose=0), np.load(f"{folder}/{name}.npy"))
    print(name, "keras_cv" in sys.modules)
"""


@pytest.fixture(scope="module")
def models():
    return {
        name: bc.build_model(name, classes=CLASSES, image_size=size, weights=None, seed=2)
        for name, size in SIZES.items()
    }


def test_saved_models_are_loaded_in_another_process_without_keras_cv_where_all_layers_are_of_keras(models, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    for name, model in models.items():
        size = model.input_shape[1]
        np.save(tmp_path / f"{name}.npy", model.predict(images[:, :size, :size], verbose=0))
        bc.save_model(model, tmp_path / f"{name}.keras")
    command = [sys.executable, "-c", LOADED, str(tmp_path), *SIZES]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["efficientnetlite-b0 False", "mit-b0 True"]


def test_heat_maps(models):
    model = models["mit-b0"]
    size = model.input_shape[1]
    images = np.random.default_rng(1).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    heat = bc.explain(model, images, method="grad-cam")
    assert np.isfinite(np.asarray(heat.heatmaps)).all()


def test_batch_normalisation_is_that_of_networks_trained_from_scratch():
    # In layers within layers too.
    layers = flatten_layers(BACKBONES["cspdarknet-tiny"].factory((32, 32, 3)))
    momenta = [layer.momentum for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(momenta) > 20
    assert set(momenta) == {NORM_MOMENTUM}


def test_each_transformer_block_is_a_stage_with_a_learning_rate_of_its_own(models):
    model = models["mit-b0"]
    stages = bc.models.list_stages(model)
    blocks = [[name for name in stage if name.startswith("hierarchical")] for stage in stages]
    assert blocks == [[f"hierarchical_encoder_{level}_{block}"] for level in (3, 2, 1, 0) for block in (1, 0)] + [[]]
    shares = layer_shares(model, 0.5)
    assert len(shares) == len(find_backbone(model).weights), "the paths of all weights differ"
    assert {share for path, share in shares.items() if "hierarchical_encoder_1_0/" in path} == {0.5**6}


def test_a_larger_one_has_the_parameters_of_the_preset_of_keras_cv():
    presets = import_module("keras_cv.src.models.backbones.resnet_v2.resnet_v2_backbone_presets").backbone_presets
    backbone = BACKBONES["resnet34v2"].factory((32, 32, 3))
    assert backbone.count_params() == presets["resnet34_v2"]["metadata"]["params"]


def test_sizes_that_keras_cv_cannot_take_are_refused():
    with pytest.raises(ModelError, match="square images whose side is a multiple of 32"):
        bc.build_model("mit-b0", classes=CLASSES, image_size=(64, 96))
    with pytest.raises(ModelError, match="even height and width"):
        bc.build_model("cspdarknet-tiny", classes=CLASSES, image_size=(33, 33))
