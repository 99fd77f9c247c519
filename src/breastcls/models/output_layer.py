"""The last layer of a model: its activation, and the logits that it is applied to."""

from __future__ import annotations

from typing import Any

import keras

_ACTIVATIONS = {
    keras.activations.softmax: "softmax",
    keras.activations.sigmoid: "sigmoid",
    keras.activations.linear: "linear",
}


def activation_of(operation: Any) -> str:
    """Return the activation that a layer or operation ends with: "softmax", "sigmoid", "linear", or else "other".

    Example:
        >>> activation_of(keras.layers.Dense(2, activation="softmax")), activation_of(keras.layers.Flatten())
        ('softmax', 'other')
    """
    if isinstance(operation, keras.layers.Softmax):
        return "softmax" if operation.axis == -1 else "other"
    if isinstance(operation, keras.layers.Activation) or type(operation) is keras.layers.Dense:
        return _ACTIVATIONS.get(operation.activation, "other")
    if not isinstance(operation, keras.Layer) and type(operation).__name__ in ("Softmax", "Sigmoid"):
        return type(operation).__name__.lower()
    return "other"


def compute_logits(dense: keras.layers.Dense, inputs: Any) -> Any:
    """Return the output of a dense layer without its activation, from its inputs (n, channels)."""
    scores = keras.ops.matmul(inputs, dense.kernel)
    return scores + dense.bias if dense.use_bias else scores


def ends_in_softmax(model: keras.Model) -> bool:
    """Return whether the last layer of a model is a softmax, so that its outputs are probabilities for any weights.

    Example:
        >>> from breastcls.models.building import build_model
        >>> ends_in_softmax(build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7))
        True
    """
    return find_last_activation(model) == "softmax"


def find_last_activation(model: keras.Model) -> str:
    """Return what `activation_of` returns for the last layer of a model, also of one nested at its end."""
    last = model.layers[-1] if model.layers else None
    return find_last_activation(last) if isinstance(last, keras.Model) else activation_of(last)


def find_logits(model: keras.Model) -> Any | None:
    """Return the symbolic logits (n, classes) of a model whose last layer is a softmax, or None."""
    last = model.layers[-1]
    if getattr(last, "output", None) is not model.outputs[0] or len(last.input.shape) != 2:
        return None
    if activation_of(last) != "softmax":
        return None
    return compute_logits(last, last.input) if isinstance(last, keras.layers.Dense) else last.input
