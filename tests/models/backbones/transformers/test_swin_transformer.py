"""Swin against timm and transformers; see tests/support/make_transformer_references.py."""

from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import breastcls as bc
from breastcls.errors import ModelError, WeightsError
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.backbones.transformers.swin_transformer import SwinTransformer

DATA = Path(__file__).parents[3] / "support" / "data" / "transformers"
OUTPUTS = np.load(DATA / "outputs.npz")
TINY = SwinTransformer(width=8, depths=(2, 2), heads=(2, 4), window=8, patch_size=2)


def draw_images():
    return np.random.default_rng(0).uniform(-2, 2, (2, 32, 32, 3)).astype(np.float32)


@pytest.mark.parametrize("name", ["swin-t4", "swin-t4.timm"])
def test_the_outputs_are_those_of_the_original(name):
    network = TINY((32, 32, 3))
    TINY.load_checkpoint(network, DATA / f"{name}.safetensors")
    np.testing.assert_allclose(np.asarray(network(draw_images())), OUTPUTS[f"{name}/native"], atol=1e-5)
    again = keras.Model.from_config(network.get_config())
    again.set_weights(network.get_weights())
    np.testing.assert_array_equal(np.asarray(network(draw_images())), np.asarray(again(draw_images())))


def test_files_of_older_programs_and_of_other_models(tmp_path):
    tensors = load_file(DATA / "swin-t4.timm.safetensors")
    older = {key.replace("layers.1.downsample", "layers.0.downsample"): values for key, values in tensors.items()}
    older["layers.0.blocks.1.attn_mask"] = np.zeros((4, 64, 64), np.float32)
    older["layers.0.blocks.0.attn.relative_position_index"] = np.zeros((64, 64), np.int64)
    older["head.weight"] = np.zeros((2, 16), np.float32)
    save_file(older, tmp_path / "older.safetensors")
    network, expected = TINY((32, 32, 3)), TINY((32, 32, 3))
    TINY.load_checkpoint(network, tmp_path / "older.safetensors")
    TINY.load_checkpoint(expected, DATA / "swin-t4.timm.safetensors")
    for found, kept in zip(network.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(found, kept)
    deeper = SwinTransformer(width=8, depths=(2, 4), heads=(2, 4), window=8, patch_size=2)
    with pytest.raises(WeightsError, match=r"Swin with 2, 4 blocks of width 8.*lacks 26 tensors"):
        deeper.load_checkpoint(deeper((32, 32, 3)), DATA / "swin-t4.timm.safetensors")


def test_sizes_that_are_not_divided_into_windows_are_refused():
    with pytest.raises(ModelError, match="multiples of 32 pixels"):
        TINY((48, 48, 3))
    assert TINY((64, 32, 3)).output_shape == (None, 16, 8, 16)
    with pytest.raises(ModelError, match="one number of each"):
        SwinTransformer(width=8, depths=(2,), heads=(2, 4))
    with pytest.raises(ModelError, match=r"heads=\(3, 4\)"):
        SwinTransformer(width=8, depths=(2, 2), heads=(3, 4))


def test_it_is_a_backbone_like_any_other(tmp_path):
    bc.models.register_backbone("tiny-swin", TINY, scaling="imagenet")
    try:
        model = bc.build_model("tiny-swin", classes=("a", "b"), weights=DATA / "swin-t4.safetensors", seed=1)
        assert model.input_shape == (None, 32, 32, 3)
        stages = bc.models.list_stages(model)
        assert [stage[0] for stage in stages[:2]] == ["stage1_neighbours", "stage0_block0_norm1"]
        assert bc.models.set_trainable(model, "last-stage") < bc.models.set_trainable(model, "all")
    finally:
        del BACKBONES._items["tiny-swin"]
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    loaded = bc.load_model(bc.save_model(model, tmp_path / "model.keras"))
    np.testing.assert_array_equal(bc.predict(loaded, images).probabilities, bc.predict(model, images).probabilities)
