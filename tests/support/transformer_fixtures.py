"""Small vision transformers with random weights, of the layers of the library and of Keras' own attention."""

from typing import Any

import keras

from breastcls.models.backbones.transformers.transformer_layers import (
    AttendedValues,
    AttentionWeights,
    PositionEmbedding,
    PrefixTokens,
)

SIDE, PATCH, WIDTH, HEADS = 16, 4, 8, 2


def start_tokens(inputs: Any, prefix: int, scale: float = 1 / 255) -> Any:
    value = keras.layers.Rescaling(scale)(inputs)
    value = keras.layers.Conv2D(WIDTH, PATCH, strides=PATCH, name="patches")(value)
    value = keras.layers.Reshape((-1, WIDTH))(value)
    value = PositionEmbedding(name="positions")(value)
    grid = (inputs.shape[1] // PATCH, inputs.shape[2] // PATCH)
    return PrefixTokens(prefix, PATCH, grid, name="prefix")(value)


def end_of_block(value: Any, attended: Any) -> Any:
    value = keras.layers.Add()([value, attended])
    hidden = keras.layers.Dense(12, activation="gelu")(keras.layers.LayerNormalization()(value))
    return keras.layers.Add()([value, keras.layers.Dense(WIDTH)(hidden)])


def read_out(value: Any, pooling: str, prefix: int) -> Any:
    value = keras.layers.LayerNormalization()(value)
    return value[:, 0] if pooling == "class" else keras.ops.mean(value[:, prefix:], axis=1)


def build_transformer(pooling: str = "class", prefix: int = 1, blocks: int = 2, seed: int = 0) -> Any:
    """Return a transformer 16x16 -> 3 classes whose attention weights are outputs of layers."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((SIDE, SIDE, 3))
    value = start_tokens(inputs, prefix)
    for number in range(blocks):
        normed = keras.layers.LayerNormalization()(value)
        initial = {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.6, seed=seed + number)}
        query, key, values = (keras.layers.Dense(WIDTH, name=f"{name}{number}", **initial)(normed) for name in "qkv")
        weights = AttentionWeights(HEADS, name=f"weights{number}")([query, key])
        attended = keras.layers.Dense(WIDTH)(AttendedValues(name=f"attended{number}")([weights, values]))
        value = end_of_block(value, attended)
    outputs = keras.layers.Dense(3, activation="softmax", name="scores")(read_out(value, pooling, prefix))
    return keras.Model(inputs, outputs)


@keras.saving.register_keras_serializable(package="tests")
class Encoder(keras.layers.Layer):  # type: ignore[misc]
    """Two blocks in one layer, as in KerasHub, so that the attention is inside of a layer that cannot be opened."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.attention = [keras.layers.MultiHeadAttention(HEADS, WIDTH // HEADS) for _ in range(2)]

    def build(self, shape: Any) -> None:
        for layer in self.attention:
            layer.build(shape, shape)

    def call(self, inputs: Any) -> Any:
        for layer in self.attention:
            inputs = inputs + layer(inputs, inputs)
        return inputs


def build_opaque_transformer(pooling: str = "class", seed: int = 0) -> Any:
    """Return a transformer 16x16 -> 3 classes whose attention layers are inside of one layer."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((SIDE, SIDE, 3))
    value = keras.layers.Rescaling(1 / 255)(inputs)
    value = keras.layers.Reshape((-1, WIDTH))(keras.layers.Conv2D(WIDTH, PATCH, strides=PATCH)(value))
    value = Encoder(name="encoder")(keras.layers.ZeroPadding1D((1, 0))(value))
    outputs = keras.layers.Dense(3, activation="softmax", name="scores")(read_out(value, pooling, 1))
    return keras.Model(inputs, outputs)
