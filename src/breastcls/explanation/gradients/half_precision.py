"""Gradients of a model that computes in float16: those of the scaled score, so that small ones are not rounded to 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

# The smallest number of float16 above 0 is 6e-8, and the gradient of a score for one pixel is often smaller. The
# largest is 65504: where a scaled gradient exceeds it, the next factor is used.
SCALES = (2.0**15, 2.0**8, 1.0)


def differentiate_scaled(
    differentiate: Callable[..., tuple[Any, ...]],
    function: Callable[..., Any],
    inputs: Sequence[Any],
    scales: Sequence[float] = SCALES,
) -> tuple[Any, ...]:
    """Return the gradients of a function that computes in float16, without underflow.

    This is the scaling of the loss in training with mixed precision (Micikevicius et al. 2018, arXiv:1710.03740).

    Args:
        differentiate: See `GradientBackend.differentiate`.
        function: Takes the inputs and returns a tensor (n,).
        inputs: Tensors (n, ...).
        scales: The factors of the score, from the largest. The first with finite gradients is used.

    Returns:
        One tensor float32 per input, or None.
    """
    scale, *rest = scales
    found = differentiate(lambda *tensors: function(*tensors) * scale, inputs)
    values = [None if value is None else keras.ops.cast(value, "float32") / scale for value in found]
    known = tuple(value for value in values if value is not None)
    if not rest or not known:
        return tuple(values)
    finite = keras.ops.all(keras.ops.stack([keras.ops.all(keras.ops.isfinite(value)) for value in known]))

    def take_next() -> tuple[Any, ...]:
        again = differentiate_scaled(differentiate, function, inputs, rest)
        return tuple(value for value in again if value is not None)

    chosen = iter(keras.ops.cond(finite, lambda: known, take_next))
    return tuple(None if value is None else next(chosen) for value in values)
