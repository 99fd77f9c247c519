"""Gradients and compiled functions on the TensorFlow backend. No other module of `explanation` names TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


class TensorFlowGradients:
    """Compiled functions and gradients by TensorFlow; see `GradientBackend`."""

    def compile(
        self, function: Callable[..., Any], variables: Sequence[Any], *, traceable: bool = True
    ) -> Callable[..., Any]:
        """Return the function as a graph; a graph reads the present values of its variables by itself."""
        del variables
        return TracedFunction(function) if traceable else function

    def differentiate(self, function: Callable[..., Any], inputs: Sequence[Any]) -> tuple[Any, ...]:
        """Return the gradient of the sum of the values of a function with respect to each of its inputs."""
        tensors = [tf.convert_to_tensor(value) for value in inputs]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tensors)
            total = tf.reduce_sum(function(*tensors))
        return tuple(tape.gradient(total, tensors))


class TracedFunction:
    """A function of tensors (n, ...) that is traced once for all numbers of images n.

    It is traced at the first call and not after some calls without a graph: TensorFlow joins operations in a graph, so
    that results with and without one differ in the last bits, and equal calls have to give equal heat-maps.

    Args:
        function: Takes tensors (n, ...) and returns tensors.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        # As Keras does for `predict`: converting Python control flow takes longer than tracing.
        self._function = tf.function(function, autograph=False)
        self._graphs: dict[Any, Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        tensors = [tf.convert_to_tensor(argument) for argument in arguments]
        key = tuple((tuple(tensor.shape[1:]), tensor.dtype) for tensor in tensors)
        if key not in self._graphs:
            self._graphs[key] = self._trace(tensors)
        return self._graphs[key](*tensors)

    def _trace(self, tensors: Sequence[Any]) -> Callable[..., Any]:
        specifications = [tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype) for tensor in tensors]
        graph: Callable[..., Any]
        try:
            graph = self._function.get_concrete_function(*specifications)
        # A layer that computes with the number of images as a Python number fails in its own way.
        except (TypeError, ValueError, NotImplementedError):
            # One graph for each number of images.
            graph = self._function
        return graph
