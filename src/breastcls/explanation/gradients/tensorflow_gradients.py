"""Gradients and traced functions on the TensorFlow backend. No other module of `explanation` names TensorFlow.

Support for another backend of Keras is one more module with the three names of this one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from breastcls.explanation.layer_graph import Observer

# Tracing costs about as much as a few eager calls, and a traced call takes a fifth of the time of an eager one.
EAGER_CALLS = 4


class TracedFunction:
    """A function of tensors that is traced to a graph once it has been called a few times.

    Args:
        function: Takes and returns tensors.
        traceable: Whether it may be traced at all.
    """

    def __init__(self, function: Callable[..., Any], *, traceable: bool = True) -> None:
        self._eager = function
        self._traced = tf.function(function, reduce_retracing=True) if traceable else function
        self._calls = 0

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        self._calls += 1
        return (self._eager if self._calls <= EAGER_CALLS else self._traced)(*arguments)


def tensor_gradient(
    compute_scores: Callable[[Any, Observer], Any], pixels: Any, targets: Any, slot: int
) -> tuple[Any, Any]:
    """Return one tensor inside a model and the gradient of the target scores with respect to it.

    Args:
        compute_scores: Returns class scores (n, classes) for a batch, and calls the observer with the number and the
            value of each tensor that is computed on the way.
        pixels: float32 (n, h, w, 3).
        targets: int64 (n,), class indices.
        slot: The number of the tensor.

    Returns:
        The tensor and its gradient; the gradient is None if the scores do not depend on the tensor in a
        differentiable way.
    """
    recorded: list[Any] = []
    # Only what comes after the tensor is recorded: the layers before it are run forward and not differentiated.
    with tf.GradientTape(watch_accessed_variables=False) as tape:

        def record(number: int, value: Any) -> Any:
            if number == slot:
                tape.watch(value)
                recorded.append(value)
            return value

        score = _sum_target_scores(compute_scores(pixels, record), targets)
    return recorded[0], tape.gradient(score, recorded[0])


def pixel_gradient(compute_scores: Callable[[Any], Any], pixels: Any, targets: Any) -> Any:
    """Return the gradient of the target scores with respect to the pixels, or None if there is none.

    Args:
        compute_scores: Returns class scores (n, classes) for a batch.
        pixels: float32 (n, h, w, 3).
        targets: int64 (n,), class indices.
    """
    pixels = tf.convert_to_tensor(pixels)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(pixels)
        score = _sum_target_scores(compute_scores(pixels), targets)
    return tape.gradient(score, pixels)


def _sum_target_scores(scores: Any, targets: Any) -> Any:
    """Return the sum of the target scores of a batch: in inference no image affects the score of another."""
    return tf.reduce_sum(tf.gather(scores, targets, batch_dims=1))
