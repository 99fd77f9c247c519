"""Tiny models of every kind that explanations support, all (32, 32, 3) to the three classes of `CLASSES`.

The tests of the methods and of the core use the same list: `for name in MODEL_KINDS: model = MODEL_KINDS[name]()`.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from breastcls.models.backbones.transformers.vision_transformer import VisionTransformer
from breastcls.models.ensemble import build_ensemble
from breastcls.models.model_card import ModelCard, set_card

CLASSES = ("benign", "in situ", "invasive")
SIZE = 32
layers = keras.layers


def build_functional() -> Any:
    inputs = keras.Input((SIZE, SIZE, 3))
    return keras.Model(inputs, _head(_convolutions()(inputs)), name="functional")


def build_sequential() -> Any:
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, strides=2, activation="relu", name="conv"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ],
        name="sequential",
    )


def build_nested() -> Any:
    """A backbone in a model in a model, with a residual connection, dropout and `training=True` recorded."""
    inner_in = keras.Input((None, None, 3))
    value = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(inner_in)
    value = layers.Add(name="add")([value, layers.Conv2D(4, 1, name="skip")(inner_in)])
    inner = keras.Model(inner_in, layers.SpatialDropout2D(0.5)(value), name="inner")
    middle = keras.Sequential([keras.Input((None, None, 3)), layers.Rescaling(1 / 255), inner], name="middle")
    inputs = keras.Input((SIZE, SIZE, 3))
    value = middle(inputs, training=True)
    return keras.Model(inputs, _head(layers.AveragePooling2D(4)(value)), name="nested")


def build_loaded() -> Any:
    """A model saved and loaded by plain Keras."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        build_nested().save(path)
        return keras.models.load_model(path)


def build_branches() -> Any:
    """Two networks of different resolution, whose features are joined."""
    inputs = keras.Input((SIZE, SIZE, 3))
    fine = layers.GlobalAveragePooling2D()(_convolutions("fine")(inputs))
    coarse = layers.GlobalMaxPooling2D()(_convolutions("coarse", strides=4)(inputs))
    joined = layers.Concatenate()([fine, coarse])
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(joined), name="branches")


def build_called_twice() -> Any:
    """One network for the image and for the inverted image."""
    inputs = keras.Input((SIZE, SIZE, 3))
    network = _convolutions("shared")
    values = [layers.GlobalAveragePooling2D()(network(image)) for image in (inputs, 255.0 - inputs)]
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Concatenate()(values)), name="twice")


def build_squeeze_excite() -> Any:
    inputs = keras.Input((SIZE, SIZE, 3))
    value = _convolutions()(inputs)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(value)
    gate = layers.Conv2D(4, 1, activation="sigmoid")(gate)
    return keras.Model(inputs, _head(layers.Multiply(name="excited")([value, gate])), name="squeeze_excite")


def build_mixed_precision() -> Any:
    inputs = keras.Input((SIZE, SIZE, 3))
    policy = keras.DTypePolicy("mixed_bfloat16")
    value = layers.Rescaling(1 / 255)(inputs)
    value = layers.Conv2D(4, 3, strides=2, activation="relu", dtype=policy)(value)
    value = layers.GlobalAveragePooling2D(dtype=policy)(value)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", dtype="float32")(value), name="mixed")


def build_any_size() -> Any:
    """A model of no fixed size, with a separate softmax; its card has the size."""
    inputs = keras.Input((None, None, 3))
    logits = layers.Dense(3)(layers.GlobalAveragePooling2D()(_convolutions()(inputs)))
    model = keras.Model(inputs, layers.Softmax()(logits), name="any_size")
    set_card(model, ModelCard(classes=CLASSES, image_size=(SIZE, SIZE)))
    return model


def build_joined() -> Any:
    """An ensemble of two networks."""
    members = [build_functional(), build_sequential()]
    for member in members:
        set_card(member, ModelCard(classes=CLASSES, image_size=(SIZE, SIZE)))
    return build_ensemble(members, weights=[2, 1])


def build_transformer(*, class_token: bool = True) -> Any:
    """A vision transformer of layers of Keras: patches of 8x8 pixels, two blocks, and a head on the class token."""
    inputs = keras.Input((SIZE, SIZE, 3))
    value = layers.Conv2D(8, 8, strides=8, name="patches")(layers.Rescaling(1 / 255)(inputs))
    value = layers.Reshape((16, 8))(value)
    if class_token:
        value = layers.ZeroPadding1D((1, 0), name="class_token")(value)
    for number in (1, 2):
        normed = layers.LayerNormalization()(value)
        value = layers.Add()([value, layers.MultiHeadAttention(2, 4)(normed, normed)])
        hidden = layers.Dense(16, activation="gelu")(layers.LayerNormalization()(value))
        value = layers.Add(name=f"block_{number}")([value, layers.Dense(8)(hidden)])
    value = layers.LayerNormalization(name="norm")(value)
    pooled = value[:, 0] if class_token else layers.GlobalAveragePooling1D()(value)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(pooled), name="transformer")


def build_averaging_transformer() -> Any:
    """The same without class token, with a head on the mean of the patches."""
    return build_transformer(class_token=False)


def build_own_transformer() -> Any:
    """A backbone of the library with a class token and a register."""
    network = VisionTransformer(patch_size=8, width=8, depth=2, heads=2, registers=1)((SIZE, SIZE, 3))
    inputs = keras.Input((SIZE, SIZE, 3))
    features = network(layers.Rescaling(1 / 255)(inputs))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(features), name="own_transformer")


def _convolutions(name: str = "backbone", strides: int = 2) -> Any:
    return keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Rescaling(1 / 127.5, offset=-1.0),
            layers.Conv2D(4, 3, strides=strides, padding="same", activation="relu", name="first"),
            layers.BatchNormalization(),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="last"),
        ],
        name=name,
    )


def _head(value: Any) -> Any:
    return layers.Dense(3, activation="softmax", name="scores")(layers.GlobalAveragePooling2D()(value))


def _seeded(build: Callable[[], Any]) -> Callable[[], Any]:
    def build_seeded() -> Any:
        keras.utils.set_random_seed(11)
        return build()

    return build_seeded


MODEL_KINDS: dict[str, Callable[[], Any]] = {
    "functional": _seeded(build_functional),
    "sequential": _seeded(build_sequential),
    "nested": _seeded(build_nested),
    "loaded": _seeded(build_loaded),
    "branches": _seeded(build_branches),
    "called twice": _seeded(build_called_twice),
    "squeeze and excite": _seeded(build_squeeze_excite),
    "mixed precision": _seeded(build_mixed_precision),
    "any size": _seeded(build_any_size),
    "ensemble": _seeded(build_joined),
    "transformer": _seeded(build_transformer),
    "averaging transformer": _seeded(build_averaging_transformer),
    "own transformer": _seeded(build_own_transformer),
}
"""For each kind a function that builds the same model each time."""
