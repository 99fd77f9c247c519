"""Calibration maps: from the probabilities of a model to calibrated probabilities.

How a map is fitted is described in `breastcls.calibration.fit_calibrator`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from breastcls.models.calibration_check import check_calibration
from breastcls.models.calibration_identity import fingerprint_calibration
from breastcls.models.log_probabilities import log_probabilities


@dataclass(frozen=True)
class CalibrationMap:
    """A fitted map from probabilities to calibrated probabilities.

    Attributes:
        method: "temperature", "platt", "isotonic", "vector" or "dirichlet".
        classes: Class names.
        parameters: Parameters of the map, as lists, so that JSON can hold them: `temperature`; or `curves`, each with
            `x` and `y`; or `weights` and `offsets`, applied to the logarithms of the probabilities.
        images: Number of rows it was fitted on.
        cases: Cases it was fitted on. They are recorded with calibrated predictions and with the model, and `evaluate`
            treats them as seen in training.
        level: What one row was in the fit: "image", "slide" or "case". Aggregated probabilities have another
            distribution than those of images, so `evaluate` reports where others are scored than were calibrated.
        aggregation_method: How the images were aggregated, where a row was a slide or a case.
    """

    method: str
    classes: tuple[str, ...]
    parameters: Mapping[str, Any]
    images: int = 0
    cases: tuple[str, ...] = ()
    level: str = "image"
    aggregation_method: str | None = None

    def __call__(self, probabilities: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return calibrated probabilities, float32 (n, classes).

        Args:
            probabilities: (n, classes), one column per class for two classes too.
        """
        if self.method == "temperature":
            return apply_temperature(probabilities, float(self.parameters["temperature"]))
        if self.method == "isotonic":
            return _apply_curves(np.asarray(probabilities, dtype=np.float64), self.parameters["curves"])
        weights, offsets = np.asarray(self.parameters["weights"]), np.asarray(self.parameters["offsets"])
        return np.asarray(softmax(log_probabilities(probabilities) @ weights.T + offsets, axis=-1), np.float32)

    def record(self, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return what calibrated predictions record of the map (`Predictions.calibration`).

        Args:
            before: What the predictions recorded of an earlier calibration.
        """
        return {
            "method": self.method,
            "level": self.level,
            "aggregation_method": self.aggregation_method,
            "images": self.images,
            "cases": sorted({*(before or {}).get("cases", ()), *self.cases}),
            "fingerprint": fingerprint_calibration(self.method, self.parameters, before),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON values."""
        return {
            "method": self.method,
            "classes": list(self.classes),
            "parameters": dict(self.parameters),
            "images": self.images,
            "cases": list(self.cases),
            "level": self.level,
            "aggregation_method": self.aggregation_method,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the map of which `to_dict` returned the fields.

        Raises:
            ModelError: If a field is missing or has a wrong type or shape.
        """
        check_calibration(values)
        return cls(
            method=values["method"],
            classes=tuple(values["classes"]),
            parameters=values["parameters"],
            images=values["images"],
            cases=tuple(values["cases"]),
            level=values.get("level", "image"),
            aggregation_method=values.get("aggregation_method"),
        )


def apply_temperature(probabilities: npt.NDArray[Any], temperature: float) -> npt.NDArray[np.float32]:
    """Return probabilities whose logits are divided by a temperature.

    Temperature scaling after Guo et al. 2017 (arXiv:1706.04599): the probabilities are less extreme with a temperature
    above 1 and more extreme below 1; the most probable class does not change.

    Args:
        probabilities: (n, classes).
        temperature: A positive number.

    Returns:
        float32 (n, classes).

    Example:
        >>> apply_temperature(np.array([[0.9, 0.1]]), 2.0).round(3).tolist()
        [[0.75, 0.25]]
    """
    return np.asarray(softmax(log_probabilities(probabilities) / temperature, axis=-1), np.float32)


def _apply_curves(wide: npt.NDArray[np.float64], curves: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float32]:
    """Apply one monotone curve per class, or for two classes one curve of the positive class."""
    if len(curves) == 1:
        positive = np.interp(wide[:, 1], curves[0]["x"], curves[0]["y"])
        return np.stack([1 - positive, positive], axis=1).astype(np.float32)
    each = np.stack([np.interp(wide[:, index], curve["x"], curve["y"]) for index, curve in enumerate(curves)], axis=1)
    sums = each.sum(axis=1, keepdims=True)
    # Where the curves give every class the probability 0, all classes are equally probable.
    uniform = np.full_like(each, 1 / len(curves))
    return np.asarray(np.divide(each, sums, out=uniform, where=sums > 0), np.float32)
