"""The explained value: the class score before softmax or sigmoid, where the model has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from breastcls.explanation.layer_graph import LayerGraph, Step
from breastcls.models.log_probabilities import SMALLEST_PROBABILITY
from breastcls.models.output_layer import activation_of, compute_logits


@dataclass(frozen=True, eq=False)
class ClassScore:
    """How class scores and probabilities are computed from one tensor of a model.

    The score is the logit, because a probability saturates (at 0.9999 its gradient is almost zero) and depends, through
    softmax, on the evidence against the other classes. A last `Dense` layer with softmax or sigmoid is computed without
    its activation; a separate softmax or sigmoid layer is omitted; outputs without an activation are logits already.
    With any other last layer the score is the log-probability. A single sigmoid or linear output z becomes two classes
    with the scores (-z, z).

    Attributes:
        slot: The tensor from which the scores are computed.
        dense: The last `Dense` layer, which is computed without its activation, or None.
        activation: `"softmax"`, `"sigmoid"`, or `"none"` for any other last layer.
        output_is_logits: Whether the model ends without an activation, so that its output is the scores.
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


def find_class_score(graph: LayerGraph, classes: int) -> ClassScore:
    """Find the score before the last activation of a model.

    Args:
        graph: The layer calls of the model.
        classes: The number of columns of its output.
    """
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


def _changes_nothing(step: Step) -> bool:
    operation = step.operation
    if isinstance(operation, keras.layers.Dropout | keras.layers.Identity):
        return True
    return isinstance(operation, keras.layers.Activation) and operation.activation is keras.activations.linear
