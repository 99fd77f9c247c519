import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.models import precision
from breastcls.models.backbones.stain_texture import build_stain_texture
from breastcls.models.precision import choose_precision, processor_flags, use_precision
from breastcls.models.spatial_moments import SpatialMoments
from breastcls.models.stain_separation import StainSeparation


def test_auto_is_bfloat16_only_where_it_is_faster(small, monkeypatch):
    monkeypatch.setattr(precision, "has_gpu", lambda: False)
    vgg = bc.build_model("vgg16", classes=("a", "b"), image_size=32, weights=None)
    monkeypatch.setattr(precision, "processor_flags", lambda: frozenset({"avx512_bf16"}))
    assert choose_precision("auto", vgg) == "bfloat16"
    assert choose_precision("auto", small()) == "float32"
    monkeypatch.setattr(precision, "processor_flags", lambda: frozenset({"avx2"}))
    assert choose_precision("auto", vgg) == "float32"
    assert choose_precision("bfloat16", small()) == "bfloat16"
    monkeypatch.setattr(precision, "has_gpu", lambda: True)
    assert choose_precision("auto", small()) == "bfloat16"


def test_processor_flags_are_read_from_cpuinfo(tmp_path):
    (tmp_path / "cpuinfo").write_text("model name : x\nflags\t\t: fpu avx512_bf16 avx2\n", encoding="utf-8")
    assert processor_flags(str(tmp_path / "cpuinfo")) == {"fpu", "avx512_bf16", "avx2"}
    assert processor_flags(str(tmp_path / "none")) == frozenset()


def test_layers_compute_in_bfloat16_within_the_block_only(small):
    model = small()
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("uint8")
    before = np.asarray(model(images))
    with use_precision(model, "bfloat16"):
        inside = model(images)
        backbone = next(layer for layer in model.layers if isinstance(layer, keras.Model))
        assert {layer.compute_dtype for layer in backbone.layers} == {"bfloat16"}
        assert model.get_layer("scaling").compute_dtype == model.get_layer("logits").compute_dtype == "float32"
        assert model.get_layer("pool").compute_dtype == "bfloat16"
        assert all(weight.dtype == "float32" for weight in model.weights)
        assert keras.backend.standardize_dtype(inside.dtype) == "float32"
        assert not np.array_equal(np.asarray(inside), before)
        np.testing.assert_allclose(np.asarray(inside), before, atol=0.02)
    np.testing.assert_array_equal(np.asarray(model(images)), before)


def test_layers_of_another_precision_keep_it(small):
    texture = build_stain_texture(classes=("a", "b"), image_size=32, weights=None, blocks=(1,), seed=1)
    with use_precision(texture, "bfloat16"):
        inner = texture.get_layer("stain_texture")
        kinds = (StainSeparation, SpatialMoments, keras.layers.Rescaling)
        pinned = [layer for layer in inner._flatten_layers() if isinstance(layer, kinds)]
        assert len(pinned) == 3
        assert {layer.compute_dtype for layer in pinned} == {"float32"}
        assert inner.get_layer("filters").get_layer("conv1").compute_dtype == "bfloat16"
    larger = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=48, weights=None, seed=4)
    ensemble = bc.models.build_ensemble([small(), larger])
    with use_precision(ensemble, "bfloat16"):
        assert ensemble.get_layer("images_1").compute_dtype == "float32"
        member = ensemble.get_layer("member_2")
        assert member.get_layer("scaling").compute_dtype == member.get_layer("logits").compute_dtype == "float32"
        assert member.get_layer("cnn4").get_layer("conv1").compute_dtype == "bfloat16"


def test_a_model_built_in_half_precision(small, parts):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        inputs = keras.Input((32, 32, 3))
        x = keras.layers.Conv2D(2, 1, dtype="float32", name="pinned")(inputs)
        x = keras.layers.Flatten()(keras.layers.Conv2D(2, 1, name="free")(x))
        model = keras.Model(inputs, keras.layers.Dense(2, "softmax", dtype="float32")(x))
    finally:
        keras.config.set_dtype_policy("float32")
    assert choose_precision("auto", model) == "bfloat16"
    with use_precision(model, "float16"):
        assert model.get_layer("pinned").compute_dtype == "float32"
        assert model.get_layer("free").compute_dtype == "float16"
    with use_precision(model, "float32"):
        assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert model.get_layer("free").compute_dtype == "bfloat16"


@pytest.mark.parametrize("number_format", ["bfloat16", "float16"])
def test_training_in_half_precision_gives_a_float32_model(parts, small, number_format, tmp_path):
    model = small()
    options = {"epochs": 8, "batch_size": 8, "augment": "none"}
    run = bc.fit(
        model, *parts[:2], devices=bc.training.Devices(precision=number_format), run_dir=tmp_path / "run", **options
    )
    assert run.config["precision"] == number_format
    assert run.scores["val_case_balanced_accuracy"] == 1.0
    loaded = bc.load_model(tmp_path / "run" / "model.keras")
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    images, _ = parts[2].to_numpy((32, 32))
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))
