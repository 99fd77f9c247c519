"""Converted weights against outputs of timm and transformers; see tests/support/make_transformer_references.py."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from breastcls.errors import WeightsError
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.backbones.transformers.vision_transformer import VisionTransformer
from breastcls.models.checkpoints.position_resampling import resample_positions
from breastcls.models.checkpoints.tensor_file import open_tensors

DATA = Path(__file__).parents[3] / "support" / "data" / "transformers"
OUTPUTS = dict(np.load(DATA / "outputs.npz"))
FILES = sorted(path for path in DATA.iterdir() if path.suffix != ".npz" and not path.name.startswith("swin"))
SIDE, OTHER = 4, (5, 3)


def architecture_of(file):
    """The architecture of an entry at the width and depth of the references."""
    whole = BACKBONES[file.name.split(".")[0]].factory
    small = {"width": 8, "depth": 2, "heads": 2, "mlp_width": 16 if whole.gated else None}
    return replace(whole, **small, native_size=SIDE * whole.patch_size)


def draw_images(grid, patch_size):
    shape = (2, grid[0] * patch_size, grid[1] * patch_size, 3)
    return np.random.default_rng(0).uniform(-2, 2, shape).astype(np.float32)


def build(architecture, grid=(SIDE, SIDE)):
    return architecture((grid[0] * architecture.patch_size, grid[1] * architecture.patch_size, 3))


@pytest.mark.parametrize("size", ["native", "other"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_outputs_are_those_of_the_original(file, size):
    architecture = architecture_of(file)
    grid = (SIDE, SIDE) if size == "native" else OTHER
    model = build(architecture, grid)
    if file.name.startswith("dinov2-g14.original") and size == "other":
        # The program DINOv2 resamples positions otherwise than timm, with which this reference was made.
        architecture = replace(architecture, resampling="bicubic-antialias")
    architecture.load_checkpoint(model, file)
    found = np.asarray(model(draw_images(grid, architecture.patch_size)))
    name = file.name.removesuffix(file.suffix)
    np.testing.assert_allclose(found, OUTPUTS[f"{name}/{size}"], atol=1e-5)


@pytest.mark.parametrize("key", [key for key in OUTPUTS if key.startswith("resampling/bicubic")])
def test_positions_are_resampled_as_pytorch_does(key):
    _, resampling, size = key.split("/")
    grid = tuple(map(int, size.split("x")))
    found = resample_positions(OUTPUTS["resampling/positions"], grid, resampling)
    np.testing.assert_allclose(found, OUTPUTS[key], atol=1e-5)


def test_every_switch_of_every_entry_has_a_reference():
    """A registered transformer differs from one with a reference in its size only."""

    def switches(architecture):
        same = {"patch_size": 16, "width": 8, "depth": 2, "heads": 2, "mlp_width": None, "native_size": 64}
        # Rotary positions depend on the number of channels per head, not on that of heads.
        return replace(architecture, **same, registers=4 * bool(architecture.registers))

    tested = {switches(BACKBONES[file.name.split(".")[0]].factory) for file in FILES}
    entries = [entry for entry in BACKBONES.values() if isinstance(entry.factory, VisionTransformer)]
    assert len(entries) >= 30
    for entry in entries:
        assert switches(entry.factory) in tested, entry.name
        assert entry.licence
        assert entry.obtain
        assert "was not read" in entry.unverified
        assert not any(word in entry.licence for word in ("NC", "on-Commercial", "on-commercial")) or entry.restriction


@pytest.fixture
def uni():
    architecture = architecture_of(DATA / "uni.bin")
    return architecture, build(architecture), dict(open_tensors(DATA / "uni.bin"))


def test_files_of_another_model_load_nothing(uni, tmp_path):
    architecture, model, tensors = uni
    before = [np.copy(values) for values in model.get_weights()]
    first = "blocks.0.mlp.fc1.weight"
    wrong = {
        "it lacks 1 tensor: norm.bias": {k: v for k, v in tensors.items() if k != "norm.bias"},
        r"it has 1 unexpected tensor: blocks\.0\.extra": {**tensors, "blocks.0.extra": np.zeros(3, np.float32)},
        "it has 14 unexpected tensors: blocks.2": {
            **tensors,
            **{k.replace("blocks.1", "blocks.2"): v for k, v in tensors.items()},
        },
        "block0_mlp_in have the shapes": {**tensors, first: tensors[first][:-1]},
        "equal parts": {**tensors, "blocks.0.attn.qkv.weight": np.zeros((23, 8), np.float32)},
        "contains NaN": {**tensors, first: tensors[first] * np.float32(np.nan)},
        "has the type int64": {**tensors, first: tensors[first].astype(np.int64)},
        "13 positions": {**tensors, "pos_embed": np.zeros((1, 13, 8), np.float32)},
        "not this network in a known form": {"conv1.weight": tensors[first]},
    }
    path = tmp_path / "wrong.safetensors"
    for message, content in wrong.items():
        save_file(content, path)
        with pytest.raises(WeightsError, match=message) as caught:
            architecture.load_checkpoint(model, path)
        assert str(path) in str(caught.value)
    gated = replace(architecture, gated=True, mlp_width=16)
    with pytest.raises(WeightsError, match="block0_mlp_out have the shapes"):
        gated.load_checkpoint(build(gated), DATA / "uni.bin")
    registers = replace(architecture, registers=2, layer_scale=False)
    with pytest.raises(WeightsError, match=r"this network \(2 blocks of width 8, patches of 16, 2 registers"):
        registers.load_checkpoint(build(registers), DATA / "uni.bin")
    for found, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, kept)


def test_prefixes_heads_and_folders_of_parts_are_read(uni, tmp_path):
    architecture, model, tensors = uni
    named = {f"vit.{key}": values for key, values in tensors.items()} | {"classifier.weight": np.zeros((2, 8), "f4")}
    keys = sorted(named)
    save_file({key: named[key] for key in keys[::2]}, tmp_path / "a.safetensors")
    save_file({key: named[key] for key in keys[1::2]}, tmp_path / "b.safetensors")
    index = {"weight_map": {key: "ba"[number % 2 == 0] + ".safetensors" for number, key in enumerate(keys)}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    architecture.load_checkpoint(model, tmp_path)
    expected = build(architecture)
    architecture.load_checkpoint(expected, DATA / "uni.bin")
    for found, kept in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(found, kept)
    save_file({key: named[key] for key in keys[::-1]}, tmp_path / "b.safetensors")
    with pytest.raises(WeightsError, match="two parts with the tensor"):
        architecture.load_checkpoint(model, tmp_path)
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"b\.safetensors, which is not in the folder"):
        architecture.load_checkpoint(model, tmp_path)
    index["weight_map"][keys[0]] = "../a.safetensors"
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(WeightsError, match="name of a file in the same folder"):
        architecture.load_checkpoint(model, tmp_path)


def test_half_precision_is_read(uni, tmp_path):
    import ml_dtypes

    architecture, model, tensors = uni
    save_file({key: values.astype(ml_dtypes.bfloat16) for key, values in tensors.items()}, tmp_path / "a.safetensors")
    architecture.load_checkpoint(model, tmp_path / "a.safetensors")
    expected = tensors["norm.bias"].astype(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(model.get_layer("norm").get_weights()[1], expected)
    assert set(load_file(tmp_path / "a.safetensors")) == set(tensors)
    eighths = {key: values.astype(ml_dtypes.float8_e4m3fn) for key, values in tensors.items()}
    save_file(eighths, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"has the type F8_E4M3.*expected F32"):
        architecture.load_checkpoint(model, tmp_path / "a.safetensors")
