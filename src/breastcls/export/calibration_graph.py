"""A calibration map as operations of a Keras graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from breastcls.models.calibration_map import CalibrationMap
from breastcls.models.log_probabilities import SMALLEST_PROBABILITY


def apply_calibration(probabilities: Any, calibration: CalibrationMap) -> Any:
    """Return calibrated probabilities as `calibration` itself computes them, but in float32.

    Args:
        probabilities: Tensor float32 (n, classes).
        calibration: The calibration of a model card.
    """
    # NumPy arrays are constants of the graph; tensors would become further inputs of it.
    parameters = calibration.parameters
    if calibration.method == "isotonic":
        return _apply_curves(probabilities, parameters["curves"])
    logarithms = ops.log(ops.clip(probabilities, SMALLEST_PROBABILITY, 1.0))
    if calibration.method == "temperature":
        return ops.softmax(logarithms / np.float32(parameters["temperature"]), axis=-1)
    weights = np.asarray(parameters["weights"], np.float32)
    scores = ops.matmul(logarithms, weights.T) + np.asarray(parameters["offsets"], np.float32)
    return ops.softmax(scores, axis=-1)


def _apply_curves(probabilities: Any, curves: Any) -> Any:
    if len(curves) == 1:
        positive = _interpolate(probabilities[:, 1:2], curves[0])
        return ops.concatenate([1 - positive, positive], axis=-1)
    columns = [_interpolate(probabilities[:, index : index + 1], curve) for index, curve in enumerate(curves)]
    each = ops.concatenate(columns, axis=-1)
    sums = ops.sum(each, axis=-1, keepdims=True)
    some = sums > 0
    # Where the curves give every class the probability 0, all classes are equally probable.
    return ops.where(some, each / ops.where(some, sums, ops.ones_like(sums)), np.float32(1 / len(curves)))


def _interpolate(values: Any, curve: Mapping[str, Any]) -> Any:
    """Return a curve at values (n, 1), by the rule of `numpy.interp`.

    The levels are looked up and not summed up from steps: the threshold may equal a level, where the rounding of a sum
    would change the predicted class of all its images.
    """
    x, y = (np.asarray(curve[name], np.float32) for name in "xy")
    if len(x) == 1:
        return ops.zeros_like(values) + y[0]
    # How many points are at or below each value.
    passed = ops.sum(ops.cast(values >= x[None, :], "int32"), axis=-1, keepdims=True)
    below, above = ops.maximum(passed - 1, 0), ops.minimum(passed, len(x) - 1)
    left, right, low, high = (ops.take(points, places) for points in (x, y) for places in (below, above))
    width = right - left
    some = width > 0
    share = ops.where(some, (values - left) / ops.where(some, width, ops.ones_like(width)), ops.zeros_like(values))
    return low + (high - low) * ops.clip(share, 0.0, 1.0)
