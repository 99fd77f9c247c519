"""What the computation of a model depends on besides the values of its weights, to detect changes of a model."""

from __future__ import annotations

import hashlib
from typing import Any

import keras
import numpy as np

from breastcls.models.keras_internals import flatten_layers, is_functional

# Larger arrays among the attributes of a layer are compared by identity.
_LARGEST_ARRAY = 2**20


def describe_state(model: Any) -> tuple[Any, ...]:
    """Return a description of a model that is equal as long as its computation is, for any values of its weights.

    It covers the layers, their precision and `trainable`, the variables, and the other attributes of each layer that
    are numbers, text, functions, small arrays or sequences of these. So it changes when a layer is added, replaced or
    quantised, or when its activation or another setting is changed, but not in training.

    Args:
        model: A Keras model.

    Returns:
        A tuple to be compared with `==`. It refers to layers and variables by `id`: keep the model's layers and
        variables as long as you keep the description.
    """
    layers = [_describe_layer(layer) for layer in flatten_layers(model)]
    return (*layers, tuple(id(variable) for variable in model.weights))


def _describe_layer(layer: Any) -> tuple[Any, ...]:
    settings = tuple((name, _plain_value(value)) for name, value in _settings(layer) if _is_plain(value))
    return (id(layer), layer.dtype_policy.name, layer.trainable, settings)


def _settings(layer: Any) -> list[tuple[str, Any]]:
    if isinstance(layer, keras.Sequential) or is_functional(layer):
        # Its computation is that of its layers.
        return []
    if isinstance(layer, keras.Model):
        return [
            (name, value)
            for name, value in vars(layer).items()
            if name not in _TRAINING and not name.startswith(("_", "breastcls_"))
        ]
    return [(name, value) for name, value in vars(layer).items() if name not in _LAYER_ATTRIBUTES]


def _is_plain(value: Any) -> bool:
    return value is None or callable(value) or isinstance(value, bool | int | float | str | np.ndarray | list | tuple)


def _plain_value(value: Any) -> Any:
    if isinstance(value, float):
        # NaN differs from itself.
        return repr(value)
    if isinstance(value, np.ndarray):
        content = id(value) if value.nbytes > _LARGEST_ARRAY else hashlib.sha256(value.tobytes()).digest()
        return (value.shape, value.dtype.str, content)
    if isinstance(value, list | tuple):
        return tuple(_plain_value(item) if _is_plain(item) else type(item).__name__ for item in value)
    return value


_LAYER_ATTRIBUTES = frozenset(vars(keras.layers.Layer()))
# What `compile` and `fit` set.
_TRAINING = frozenset(
    (
        "auto_scale_loss",
        "built",
        "compiled",
        "history",
        "loss",
        "optimizer",
        "predict_function",
        "steps_per_execution",
        "stop_training",
        "test_function",
        "train_function",
    )
)
