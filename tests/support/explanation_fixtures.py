"""Small models of known behaviour."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest

SIZE = 32


@dataclass(frozen=True)
class BlueSquares:
    """A model that detects one colour, and images with a square of that colour at a known position."""

    model: Any
    images: np.ndarray
    masks: np.ndarray


def build_blue_detector() -> Any:
    """Return a model whose score for "square" increases with the area that is much bluer than red."""
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(2, 3, padding="same", activation="relu", name="colour"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    kernel = np.zeros((3, 3, 3, 2), np.float32)
    kernel[:, :, :, 0] = np.array([-1.2, 0.0, 1.0]) / 9
    kernel[:, :, :, 1] = np.array([-1.0, -1.0, -1.0]) / 9
    model.get_layer("colour").set_weights([kernel, np.array([0.0, 0.1], np.float32)])
    model.layers[-1].set_weights([np.array([[-40.0, 40.0], [1.0, -1.0]], np.float32), np.array([0.1, -0.1])])
    return model


@pytest.fixture(scope="session")
def blue_squares() -> BlueSquares:
    generator = np.random.default_rng(7)
    images = np.clip(generator.normal((200, 160, 190), 8, (4, SIZE, SIZE, 3)), 0, 255)
    masks = np.zeros((4, SIZE, SIZE), bool)
    for number, (top, left) in enumerate([(3, 4), (20, 18), (6, 21), (12, 2)]):
        masks[number, top : top + 8, left : left + 8] = True
    images[masks] = generator.normal((60, 40, 140), 4, (int(masks.sum()), 3))
    return BlueSquares(build_blue_detector(), images.round().astype(np.uint8), masks)


def build_small(head: str = "pool", *, activation: str | None = "softmax", seed: int = 3) -> Any:
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((16, 16, 3))
    value = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    value = keras.layers.Conv2D(4, 3, activation="relu", name="first")(value)
    value = keras.layers.Conv2D(5, 3, activation="relu", name="last")(value)
    value = keras.layers.Flatten()(value) if head == "flatten" else keras.layers.GlobalAveragePooling2D()(value)
    return keras.Model(inputs, keras.layers.Dense(3, activation=activation, name="scores")(value))


@pytest.fixture(scope="session")
def small_model() -> Callable[..., Any]:
    """A factory of models 16x16 -> 3 classes, with a head that pools or flattens."""
    return build_small


def build_in_precision(policy: str, seed: int = 0) -> Any:
    """Return a model for images of 16x16 pixels whose layers, but not the last, have a dtype policy."""
    keras.utils.set_random_seed(seed)
    dtype = keras.DTypePolicy(policy)
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Rescaling(1 / 255, dtype=dtype),
            keras.layers.Conv2D(4, 3, activation="relu", dtype=dtype),
            keras.layers.GlobalAveragePooling2D(dtype=dtype),
            keras.layers.Dense(2, activation="softmax", dtype="float32"),
        ]
    )


def build_nested(seed: int = 5) -> Any:
    """Return a model with models nested at two depths, a skip connection and dropout."""
    keras.utils.set_random_seed(seed)
    inner = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(4, 3, padding="same", name="conv"),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("relu"),
        ],
        name="inner",
    )
    middle_in = keras.Input((None, None, 3))
    value = inner(middle_in)
    skip = keras.layers.Conv2D(4, 1, name="skip")(middle_in)
    value = keras.layers.Add(name="add")([value, skip])
    value = keras.layers.SpatialDropout2D(0.5)(value)
    middle = keras.Model(middle_in, keras.layers.MaxPooling2D()(value), name="middle")
    outer_in = keras.Input((16, 16, 3))
    value = middle(keras.layers.Rescaling(1 / 255)(outer_in), training=True)
    value = keras.layers.GlobalAveragePooling2D()(value)
    head = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(3, activation="softmax")], name="head"
    )
    return keras.Model(outer_in, head(value), name="outer")


@pytest.fixture(scope="session")
def nested_model() -> Any:
    return build_nested()


@pytest.fixture(scope="session")
def noise_images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
