import keras
import numpy as np
import pytest

from breastcls.errors import ModelError
from breastcls.models.lora import add_lora, merge_lora
from breastcls.models.model_parts import find_backbone
from breastcls.models.persistence import load_model, save_model
from breastcls.models.stages import set_trainable

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype("float32")


@pytest.fixture
def model():
    """Convolution, attention, an einsum and a dense layer in the backbone."""
    layers = keras.layers
    pixels = keras.Input((16, 16, 3))
    tokens = layers.Conv2D(8, 4, strides=4, name="patches")(layers.Rescaling(1 / 255)(pixels))
    tokens = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(tokens)
    tokens = layers.BatchNormalization(name="norm")(layers.Reshape((16, 8))(tokens))
    tokens = layers.Add()([tokens, layers.MultiHeadAttention(2, 4, name="attention")(tokens, tokens)])
    tokens = layers.EinsumDense("bnc,cd->bnd", (None, 8), bias_axes="d", name="einsum")(tokens)
    outputs = layers.Dense(6, "gelu", name="dense")(layers.GlobalAveragePooling1D()(tokens))
    backbone = keras.Model(pixels, outputs, name="backbone")
    images = keras.Input((16, 16, 3))
    return keras.Model(images, layers.Dense(2, "softmax", name="logits")(backbone(images)))


def draw(layers, seed=3):
    for number, layer in enumerate(layers):
        layer.lora_kernel_b.assign(np.random.default_rng(seed + number).normal(0, 0.3, layer.lora_kernel_b.shape))


def outputs(model):
    return keras.ops.convert_to_numpy(model(IMAGES, training=False))


def test_adapters_are_trained_alone_and_merged_into_an_ordinary_model(model, tmp_path):
    set_trainable(model, "all", batch_norm="frozen")
    paths, initial = [weight.path for weight in model.weights], model.get_weights()
    before = outputs(model)
    adapters = add_lora(model, 2, alpha=4, seed=1)
    layers = adapters.layers
    names = {layer.name for layer in layers}
    assert {"patches", "einsum", "dense", "query", "key", "value", "attention_output"} == names
    np.testing.assert_array_equal(outputs(model), before)
    trained = {weight.path.rsplit("/", 1)[-1] for weight in find_backbone(model).trainable_weights}
    assert trained == {"lora_kernel_a", "lora_kernel_b"}

    draw(layers)
    # Traced while there are adapters: it must not add them a second time later.
    adapted = model.predict(IMAGES, verbose=0)
    assert np.abs(adapted - before).max() > 1e-3
    loaded = load_model(save_model(model, tmp_path / "model.keras"))
    np.testing.assert_allclose(outputs(loaded), adapted, atol=1e-6)
    assert [weight.path.rsplit("/", 1)[-1] for weight in loaded.weights] == [path.rsplit("/", 1)[-1] for path in paths]
    assert all(layer.lora_enabled for layer in layers), "the model itself keeps its adapters"
    np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), adapted)

    merge_lora(model, adapters)
    assert [weight.path for weight in model.weights] == paths
    assert {weight.path for weight in model.trainable_weights} == {
        path for path in paths if not path.startswith("norm/")
    }
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), adapted, atol=1e-6)
    for saved, merged, first in zip(loaded.get_weights(), model.get_weights(), initial, strict=True):
        np.testing.assert_array_equal(saved, merged)
        change = (merged - first).reshape(-1, merged.shape[-1])
        assert np.linalg.matrix_rank(change, tol=1e-4) in (0, 2)


def test_only_the_trainable_layers_have_adapters(model):
    set_trainable(model, "all")
    for name in ("patches", "attention"):
        find_backbone(model).get_layer(name).trainable = False
    assert [layer.name for layer in add_lora(model, 2).layers] == ["einsum", "dense"]
    with pytest.raises(ModelError, match=r"'einsum' of .* has an adapter of LoRA already"):
        add_lora(model, 2)


def test_a_backbone_without_a_layer_for_adapters_is_refused(model):
    set_trainable(model, "head")
    with pytest.raises(ModelError, match="no trainable layer that can have an adapter of LoRA"):
        add_lora(model, 2)
