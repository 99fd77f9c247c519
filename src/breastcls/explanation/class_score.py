"""The explained value: the class score before softmax or sigmoid, where the model has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.layer_graph import LayerGraph, Step
from breastcls.models.log_probabilities import SMALLEST_PROBABILITY
from breastcls.models.output_layer import activation_of, compute_logits


@dataclass(frozen=True, eq=False)
class ClassScore:
    """How class scores and probabilities are computed from one tensor of a model.

    The score is the logit, because a probability saturates (at 0.9999 its gradient is almost zero) and depends, through
    softmax, on the evidence against the other classes. A last `Dense` layer with softmax or sigmoid is computed without
    its activation; a separate softmax or sigmoid layer is omitted; outputs without an activation are logits already.
    With any other last layer the score is the log-probability if the outputs are between 0 and 1, else the output. A
    single sigmoid or linear output z becomes two classes with the scores (-z, z).

    Attributes:
        slot: The tensor from which the scores are computed.
        dense: The last `Dense` layer, which is computed without its activation, or None.
        activation: `"softmax"`, `"sigmoid"`, or `"none"` for any other last layer.
        output_is_logits: Whether the output of the model is the scores: it ends without an activation.
    """

    slot: int
    dense: Any
    activation: str
    output_is_logits: bool = False

    @property
    def kind(self) -> str:
        """`"logit"` or `"log-probability"`."""
        return "log-probability" if self.activation == "none" else "logit"

    def scores(self, value: Any) -> Any:
        """Return the class scores, float32 (n, classes), from the tensor of `slot`."""
        value = keras.ops.cast(value, "float32")
        if self.dense is not None:
            value = compute_logits(self.dense, value)
        if self.activation == "none":
            if value.shape[-1] == 1:
                value = keras.ops.concatenate([1.0 - value, value], axis=-1)
            return keras.ops.log(keras.ops.clip(value, SMALLEST_PROBABILITY, 1.0))
        if value.shape[-1] == 1:
            return keras.ops.concatenate([-value, value], axis=-1)
        return value

    def probabilities(self, scores: Any) -> Any:
        """Return the probabilities, float32 (n, classes), of class scores."""
        if self.activation == "none":
            return keras.ops.exp(scores)
        if self.activation == "sigmoid":
            return keras.ops.sigmoid(scores)
        return keras.ops.softmax(scores, axis=-1)


def find_class_score(graph: LayerGraph, classes: int, *, is_logits: bool = False) -> ClassScore:
    """Find the score before the last activation of a model.

    Args:
        graph: The layer calls of the model.
        classes: The number of columns of its output.
        is_logits: Whether its outputs are known to be no probabilities.
    """
    if is_logits:
        return ClassScore(graph.output, None, "sigmoid" if classes == 1 else "softmax", output_is_logits=True)
    slot = graph.output
    step = graph.producer(slot)
    while step is not None and _changes_nothing(step):
        slot = step.inputs[0]
        step = graph.producer(slot)
    if step is None:
        return ClassScore(graph.output, None, "none")
    activation = activation_of(step.operation)
    if activation == "linear":
        # The output is the logits. A single one is the log-odds of the last class, whose sigmoid is its probability.
        return ClassScore(slot, None, "sigmoid" if classes == 1 else "softmax", output_is_logits=True)
    if activation not in ("softmax", "sigmoid"):
        return ClassScore(graph.output, None, "none")
    if isinstance(step.operation, keras.layers.Dense):
        return ClassScore(step.inputs[0], step.operation, activation)
    return ClassScore(step.inputs[0], None, activation)


def are_probabilities(outputs: np.ndarray) -> bool:
    """Return whether outputs can be probabilities, of classes that exclude each other or of each class by itself.

    Example:
        >>> are_probabilities(np.array([[0.2, 0.8]])), are_probabilities(np.array([[-1.0, 2.0]]))
        (True, False)
    """
    # What rounding to half precision adds to a probability of 1.
    return bool(np.all((outputs >= -0.005) & (outputs <= 1.005)))


def require_probabilities(outputs: np.ndarray, name: str) -> None:
    """Raise an `ExplanationError` if outputs that are used as probabilities are outside of 0..1.

    Args:
        outputs: The output of a model for one batch.
        name: The name of the model.
    """
    if not are_probabilities(outputs):
        raise ExplanationError(
            f"The model {name!r} has outputs from {outputs.min():.3g} to {outputs.max():.3g}; expected probabilities, "
            "0 to 1. If these are logits, load the model with load_model(path, outputs='logits'), or put a "
            "keras.layers.Softmax() behind it (a sigmoid behind a single output)."
        )


def _changes_nothing(step: Step) -> bool:
    operation = step.operation
    if isinstance(operation, keras.layers.Dropout | keras.layers.Identity):
        return True
    return isinstance(operation, keras.layers.Activation) and operation.activation is keras.activations.linear
