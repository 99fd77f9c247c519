"""A linear probe as the weights of the last layer of a model."""

from __future__ import annotations

from typing import Any

import keras

from breastcls.errors import TrainingError
from breastcls.features.linear_probe import LinearProbe
from breastcls.models.model_parts import split_model

_DROPOUTS = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.AlphaDropout,
)


def find_linear_head(model: keras.Model) -> keras.layers.Dense:
    """Return the one dense layer between the features of a model and its probabilities.

    Raises:
        ModelError: If the model cannot be split after its backbone.
        TrainingError: If its head is anything but dropout, one dense layer with a bias, and a softmax, or a sigmoid of
            one output.
    """
    _, head = split_model(model)
    layers = [layer for layer in head.layers if not isinstance(layer, keras.layers.InputLayer)]
    dense = [layer for layer in layers if isinstance(layer, keras.layers.Dense)]
    fits = len(dense) == 1 and dense[0].use_bias and len(head.inputs[0].shape) == 2
    if fits:
        place = layers.index(dense[0])
        ends = [_activation(layer) for layer in layers[place:]]
        last = "sigmoid" if dense[0].units == 1 else "softmax"
        fits = (
            all(isinstance(layer, _DROPOUTS) for layer in layers[:place])
            and set(ends) <= {"linear", last}
            and ends.count(last) == 1
        )
    if not fits:
        found = ", ".join(f"{layer.name} ({type(layer).__name__})" for layer in layers)
        raise TrainingError(
            "A linear probe needs a head of one dense layer with a bias and a softmax (or a sigmoid of one output) on "
            f"one vector per image, and dropout at most; the head of {model.name!r} is: {found}. Build the model with "
            "head='linear', or train it with frozen_head='optimizer'."
        )
    return dense[0]


def write_probe(model: keras.Model, probe: LinearProbe) -> None:
    """Set the weights of the head of a model to those of a linear probe.

    Args:
        model: One with a linear head.
        probe: Fitted on the features of the backbone of the model.

    Raises:
        TrainingError: If the head is not linear, or has other shapes than the probe.
    """
    layer = find_linear_head(model)
    shape = tuple(layer.kernel.shape)
    kernel, bias = probe.kernel, probe.bias
    if layer.units == 1 and kernel.shape[1] == 2:
        # The sigmoid of the difference of two logits equals their softmax.
        kernel, bias = kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]
    if shape != kernel.shape:
        raise TrainingError(
            f"The layer {layer.name!r} of {model.name!r} has a kernel of shape {shape}, the probe one of shape "
            f"{probe.kernel.shape}: it was fitted on other features or classes."
        )
    layer.set_weights([kernel, bias])


def _activation(layer: Any) -> str:
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    if isinstance(layer, keras.layers.Dense | keras.layers.Activation):
        return str(layer.activation.__name__)
    return type(layer).__name__
