"""The check of a stored calibration: a card comes from a file, which may be damaged or written by others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import ModelError

_LINEAR = ("platt", "vector", "dirichlet")
METHODS = ("temperature", "isotonic", *_LINEAR)


def check_calibration(values: Mapping[str, Any]) -> None:
    """Check the values of which a `CalibrationMap` is made.

    Args:
        values: What `CalibrationMap.to_dict` returns.

    Raises:
        ModelError: If a field is missing or has a wrong type or shape.
    """
    method, classes, parameters = (values.get(name) for name in ("method", "classes", "parameters"))
    _require(method in METHODS if isinstance(method, str) else False, "method", method, f"one of {', '.join(METHODS)}")
    names = isinstance(classes, (list, tuple)) and len(classes) > 1 and all(isinstance(one, str) for one in classes)
    _require(names, "classes", classes, "a list of at least two names")
    cases, images = values.get("cases"), values.get("images")
    known = isinstance(cases, (list, tuple)) and all(isinstance(case, str) for case in cases)
    _require(known, "cases", cases, "a list of names")
    _require(isinstance(images, int) and images >= 0, "images", images, "a whole number")
    _require(isinstance(values.get("level", "image"), str), "level", values.get("level"), "image, slide or case")
    pooled = values.get("aggregation_method")
    _require(pooled is None or isinstance(pooled, str), "aggregation_method", pooled, "a name or null")
    _require(isinstance(parameters, Mapping), "parameters", parameters, "an object")
    assert isinstance(parameters, Mapping)
    assert isinstance(classes, (list, tuple))
    if method == "temperature":
        value = _numbers(parameters.get("temperature"))
        positive = value is not None and value.shape == () and bool(value > 0)
        _require(positive, "temperature", parameters.get("temperature"), "a positive number")
    elif method == "isotonic":
        curves = parameters.get("curves")
        _require(_are_curves(curves, len(classes)), "curves", curves, "one curve of x and y, or one for each class")
    else:
        count = len(classes)
        for name, shape in (("weights", (count, count)), ("offsets", (count,))):
            array = _numbers(parameters.get(name))
            fits = array is not None and array.shape == shape
            _require(fits, name, parameters.get(name), f"numbers of the shape {shape}")


def _require(fulfilled: bool, name: str, found: Any, expected: str) -> None:
    if not fulfilled:
        shown = repr(found)
        shown = f"{shown[:60]}..." if len(shown) > 60 else shown
        raise ModelError(
            f"{name} of the stored calibration is {shown}; expected {expected}. Store the calibration in the model "
            "again, with breastcls.calibration.store_calibration."
        )


def _are_curves(curves: Any, classes: int) -> bool:
    if not isinstance(curves, (list, tuple)) or len(curves) not in {1, classes} or (len(curves) == 1 and classes > 2):
        return False
    for curve in curves:
        x, y = (_numbers(curve.get(name)) for name in "xy") if isinstance(curve, Mapping) else (None, None)
        if x is None or y is None or x.ndim != 1 or x.shape != y.shape or not len(x):
            return False
    return True


def _numbers(value: Any) -> npt.NDArray[np.float64] | None:
    """Return finite numbers as an array, or None for anything else."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        return None
    if array.dtype.kind not in "iuf":
        return None
    wide = array.astype(np.float64)
    return wide if np.isfinite(wide).all() else None
