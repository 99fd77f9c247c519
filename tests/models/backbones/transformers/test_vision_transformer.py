import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import LicenceWarning, ModelError, WeightsError
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.backbones.transformers.transformer_layers import TRANSFORMER_LAYERS, AttentionWeights
from breastcls.models.backbones.transformers.vision_transformer import VisionTransformer
from breastcls.models.keras_internals import flatten_layers
from breastcls.models.weights_licence import weights_licence

DATA = Path(__file__).parents[3] / "support" / "data" / "transformers"
CLASSES = ("benign", "malignant")
TINY = VisionTransformer(
    patch_size=14, width=8, depth=2, heads=2, mlp_width=16, gated=True, registers=4, layer_scale=True,
    pooling="class+mean", native_size=56,
)  # fmt: skip
OPEN, RESTRICTED = "tiny-open", "tiny-restricted"


@pytest.fixture(autouse=True, scope="module")
def _registered():
    bc.models.register_backbone(OPEN, TINY, image_size=56, scaling=((0.7, 0.58, 0.7), (0.21, 0.23, 0.18)))
    terms = {"licence": "CC BY-NC-ND 4.0", "restriction": "No commercial use.", "origin": "https://example.org"}
    bc.models.register_backbone(RESTRICTED, TINY, image_size=56, scaling="imagenet", obtain="a file", **terms)
    yield
    for name in (OPEN, RESTRICTED):
        del BACKBONES._items[name]


@pytest.fixture(scope="module")
def model():
    return bc.build_model(OPEN, classes=CLASSES, weights=DATA / "virchow2.bin", seed=1)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (4, 56, 56, 3), dtype=np.uint8)


def test_images_are_scaled_by_mean_and_standard_deviation(model, images):
    network = model.get_layer("vision_transformer")
    assert network.output_shape == (None, 16)
    mean, deviation = np.array([0.7, 0.58, 0.7]), np.array([0.21, 0.23, 0.18])
    scaled = ((images / 255 - mean) / deviation).astype(np.float32)
    expected = np.asarray(network(scaled))
    inner = keras.Model(model.inputs[0], model.get_layer("dropout").input)
    np.testing.assert_allclose(np.asarray(inner(images)), expected, atol=1e-5)


def test_attention_weights_and_tokens_are_outputs_of_layers(model):
    network = model.get_layer("vision_transformer")
    attention = [layer for layer in network.layers if isinstance(layer, AttentionWeights)]
    assert [layer.output.shape for layer in attention] == [(None, 2, 21, 21)] * 2
    assert [network.get_layer(f"block{i}_output").output.shape for i in (0, 1)] == [(None, 21, 8)] * 2
    prefix = network.get_layer("prefix_tokens")
    assert (prefix.count, prefix.patch_size, prefix.grid) == (5, 14, (4, 4))
    rows = np.asarray(keras.Model(network.inputs[0], attention[0].output)(np.zeros((1, 56, 56, 3)))).sum(-1)
    np.testing.assert_allclose(rows, 1, atol=1e-6)


OUTSIDE = """
import sys

import breastcls as bc

bc.models.register_backbone(
    "hospital-vit",
    bc.models.VisionTransformer(
        patch_size=14, width=8, depth=2, heads=2, mlp_width=16, gated=True, registers=4, layer_scale=True,
        native_size=56, pooling="class+mean",
    ),
    image_size=56,
    scaling=((0.7, 0.58, 0.7), (0.21, 0.23, 0.18)),
    licence="CC BY-NC 4.0",
    restriction="No commercial use.",
)
model = bc.build_model("hospital-vit", classes=("benign", "malignant"), weights=sys.argv[1], seed=1)
bc.save_model(model, sys.argv[2])
"""


def test_another_package_adds_a_foundation_model_in_ten_lines(model, images, tmp_path):
    path = tmp_path / "model.keras"
    command = [sys.executable, "-c", OUTSIDE, str(DATA / "virchow2.bin"), str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "LicenceWarning: The published weights of 'hospital-vit' have the licence CC BY-NC 4.0" in run.stderr
    # This process has not registered it.
    loaded = bc.load_model(path)
    assert "hospital-vit" not in BACKBONES
    assert loaded.get_layer("vision_transformer").get_layer("prefix_tokens").grid == (4, 4)
    expected = bc.predict(model, images).probabilities
    np.testing.assert_array_equal(bc.predict(loaded, images).probabilities, expected)
    assert weights_licence(vars(bc.models.get_card(loaded))).endswith("No commercial use.")


def test_stages_freeze_blocks(model):
    stages = bc.models.list_stages(model)
    assert [stage[0] for stage in stages[:2]] == ["block1_norm1", "block0_norm1"]
    assert "pool_tokens" in stages[0]
    head = bc.models.set_trainable(model, "head")
    assert head == 16 * 2 + 2
    block = sum(
        int(np.prod(weight.shape))
        for layer in flatten_layers(model.get_layer("vision_transformer"))
        if layer.name.startswith("block1_")
        for weight in layer.weights
    )
    assert bc.models.set_trainable(model, "last-stage") == head + block + 2 * 8


def test_restricted_weights_show_their_terms_and_the_card_keeps_them(tmp_path):
    with pytest.warns(LicenceWarning, match=r"CC BY-NC-ND 4\.0: No commercial use\."):
        model = bc.build_model(RESTRICTED, classes=CLASSES, weights=DATA / "virchow2.bin")
    card = bc.models.get_card(model)
    assert card.weights == "virchow2.bin"
    assert len(card.provenance["weights_sha256"]) == 64
    loaded = bc.models.get_card(bc.load_model(bc.save_model(model, tmp_path / "model.keras")))
    unknown = loaded.replace(backbone="not registered here")
    assert weights_licence(vars(unknown)).startswith("CC BY-NC-ND 4.0")
    assert weights_licence(vars(unknown)).endswith("No commercial use.")


def test_random_weights_are_asked_for_and_have_no_terms():
    with pytest.raises(WeightsError, match=r"'uni' are not downloaded\. Get pytorch_model\.bin from https://hugging"):
        bc.build_model("uni", classes=CLASSES)
    model = bc.build_model(RESTRICTED, classes=CLASSES, weights=None)
    assert "weights_terms" not in bc.models.get_card(model).provenance
    assert weights_licence(vars(bc.models.get_card(model))) == ""


def test_another_size_and_another_pooling(model, images):
    other = bc.build_model(
        OPEN, classes=CLASSES, image_size=(70, 42), pooling="mean", weights=DATA / "virchow2.bin", seed=1
    )
    assert other.get_layer("vision_transformer").output_shape == (None, 8)
    assert bc.models.get_card(other).backbone_options == {"pooling": "mean"}
    with pytest.raises(ModelError, match=r"whole patches of 14 pixels; .*\(56, 56\)"):
        bc.build_model(OPEN, classes=CLASSES, image_size=60)
    fixed = replace(TINY, resampling="none")
    with pytest.raises(ModelError, match=r"only; found \(70, 42\)"):
        fixed((70, 42, 3))


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"heads": 3}, "multiple of heads=3"),
        ({"pooling": "max"}, "pooling is 'max'"),
        ({"resampling": "linear"}, "resampling is 'linear'"),
        ({"class_token": False}, "needs a class token"),
        ({"depth": 0}, "depth is 0"),
        ({"patch_size": 14.0}, "patch_size is 14.0"),
        ({"native_size": 60}, "multiple of patch_size=14"),
        ({"positions": "rotary", "heads": 4}, "multiple of 4 per head"),
    ],
)
def test_switches_that_do_not_fit_are_named(switches, message):
    with pytest.raises(ModelError, match=message):
        replace(TINY, **switches)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("pooling", ["mean", "class+mean"])
def test_layers_survive_their_configuration(positions, pooling):
    network = replace(TINY, positions=positions, pooling=pooling)((28, 42, 3))
    again = keras.Model.from_config(network.get_config())
    again.set_weights(network.get_weights())
    image = np.random.default_rng(0).normal(size=(1, 28, 42, 3)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(network(image)), np.asarray(again(image)))
    assert {type(layer) for layer in network.layers} & set(TRANSFORMER_LAYERS)
