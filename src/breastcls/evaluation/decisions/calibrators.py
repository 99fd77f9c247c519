"""Calibration: maps that make probabilities mean what they say, fitted on validation predictions.

Temperature, vector and matrix scaling: Guo et al. 2017, arXiv:1706.04599. Platt scaling: Platt 1999, with its smoothed
targets. Isotonic regression: Zadrozny & Elkan 2002, DOI 10.1145/775047.775151. Dirichlet calibration with its
off-diagonal and intercept regularisation: Kull et al. 2019, arXiv:1910.12656.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from sklearn.isotonic import IsotonicRegression

from breastcls.errors import EvaluationError
from breastcls.evaluation.decisions.calibration_map import SMALLEST, apply_temperature, softmax
from breastcls.evaluation.metrics import require_labels
from breastcls.evaluation.predictions import Predictions

Method = Literal["temperature", "platt", "isotonic", "vector", "dirichlet"]
METHODS = ("temperature", "platt", "isotonic", "vector", "dirichlet")
Floats = npt.NDArray[np.float64]
# Kull et al. choose it by cross-validation; a single small value keeps few validation cases from being fitted exactly.
REGULARISATION = 1e-3
_PRECISE: Any = {"maxiter": 2000, "ftol": 1e-13, "gtol": 1e-9}


@dataclass(frozen=True)
class Calibrator:
    """A fitted map from probabilities to calibrated ones.

    Attributes:
        method: How it was fitted.
        classes: Class names.
        parameters: Numbers of the map, as lists, so that JSON can hold them.
        images: Number of rows it was fitted on.
        cases: Cases it was fitted on; `apply` leaves them with the predictions and `store_calibration` with the model,
            and `evaluate` treats them as seen in training.
        level: What one row stood for: "image", "slide" or "case". Joined probabilities are spread differently from
            those of images, so `evaluate` says so where others are scored than those that were calibrated.
        how: How the images were joined, where a row stood for a slide or case.
    """

    method: str
    classes: tuple[str, ...]
    parameters: Mapping[str, Any]
    images: int = 0
    cases: tuple[str, ...] = ()
    level: str = "image"
    how: str | None = None

    def __call__(self, probabilities: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return calibrated probabilities, float32 (n, classes)."""
        wide = np.asarray(probabilities, dtype=np.float64)
        if self.method == "temperature":
            return apply_temperature(wide, float(self.parameters["temperature"]))
        if self.method == "isotonic":
            return _apply_isotonic(wide, self.parameters["curves"]).astype(np.float32)
        weights, offsets = np.asarray(self.parameters["weights"]), np.asarray(self.parameters["offsets"])
        return softmax(_logarithms(wide) @ weights.T + offsets).astype(np.float32)

    def apply(self, predictions: Predictions) -> Predictions:
        """Return calibrated predictions, without a threshold: one chosen before no longer means the same.

        They carry what they were calibrated on (`Predictions.calibration`), so that `evaluate` refuses to score them on
        a case that the calibration was fitted on.

        Raises:
            EvaluationError: If the classes are others.
        """
        if predictions.classes != self.classes:
            raise EvaluationError(f"Fitted for the classes {self.classes}; the predictions' are {predictions.classes}.")
        before = predictions.calibration or {}
        record = {
            "method": self.method,
            "level": self.level,
            "how": self.how,
            "images": self.images,
            "cases": sorted({*before.get("cases", ()), *self.cases}),
        }
        return dataclasses.replace(
            predictions, probabilities=self(predictions.probabilities), threshold=None, calibration=record
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types, for JSON."""
        return {
            "method": self.method,
            "classes": list(self.classes),
            "parameters": dict(self.parameters),
            "images": self.images,
            "cases": list(self.cases),
            "level": self.level,
            "how": self.how,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibrator:
        """Make a calibrator from what `to_dict` returned."""
        return cls(
            method=values["method"],
            classes=tuple(values["classes"]),
            parameters=values["parameters"],
            images=values["images"],
            cases=tuple(values["cases"]),
            level=values.get("level", "image"),
            how=values.get("how"),
        )


def fit_calibrator(predictions: Predictions, method: Method = "temperature") -> Calibrator:
    """Fit a calibration map on validation or out-of-fold predictions.

    Args:
        predictions: With known classes; of neither the training nor the test set.
        method: "temperature" (one number, decisions stay; the safe choice with few cases), "platt" (two classes, two
            numbers), "isotonic" (a staircase a class; wants many cases), "vector" (a factor and an offset a class) or
            "dirichlet" (a full matrix, regularised).

    Returns:
        The map; call `apply` on other predictions, or keep it with the model by `store_calibration`.

    Raises:
        EvaluationError: If the predictions are of the training or test set or do not hold every class, or Platt scaling
            is asked for other than two classes.

    Example:
        >>> import numpy as np
        >>> labels = np.tile([0, 1, 1, 1, 1], 20)
        >>> sure = Predictions.from_arrays(probabilities=np.full(100, 0.99), labels=labels, classes=("no", "yes"))
        >>> fit_calibrator(sure, "platt").apply(sure).positive[0].item() < 0.81
        True
    """
    if method not in METHODS:
        raise EvaluationError(f"`method` is {method!r}; expected one of {', '.join(map(repr, METHODS))}.")
    if predictions.part in ("test", "train"):
        test = predictions.part == "test"
        why = "flatters itself" if test else "comes out too sure: the model knows these images"
        raise EvaluationError(
            f"These are {predictions.part} predictions; a calibration fitted on them {why}. Fit it on "
            "`predict(model, val)` or on out-of-fold predictions."
        )
    require_labels(predictions)
    classes = len(predictions.classes)
    if len(np.unique(predictions.labels)) < classes:
        raise EvaluationError("The predictions do not hold every class, so they cannot be calibrated on.")
    if method == "platt" and classes != 2:
        raise EvaluationError(f'"platt" is for two classes; there are {classes}. "vector" is its counterpart for more.')
    wide = predictions.probabilities.astype(np.float64)
    return Calibrator(
        method=method,
        classes=predictions.classes,
        parameters=_fit(wide, predictions.labels, method),
        images=len(predictions),
        cases=() if predictions.cases is None else tuple(sorted(set(predictions.cases.tolist()))),
        level=predictions.level,
        how=predictions.how,
    )


def _fit(wide: Floats, labels: npt.NDArray[np.int64], method: str) -> dict[str, Any]:
    classes = wide.shape[1]
    targets = np.eye(classes)[labels]
    if method == "temperature":
        return {"temperature": _fit_temperature(_logarithms(wide), labels)}
    if method == "isotonic":
        ranked = [1] if classes == 2 else range(classes)
        return {"curves": [_fit_isotonic(wide[:, index], labels == index) for index in ranked]}
    if method == "platt":
        return _fit_platt(_logarithms(wide), labels)
    return _fit_linear(_logarithms(wide), targets, diagonal=method == "vector")


def _logarithms(wide: Floats) -> Floats:
    return np.asarray(np.log(np.clip(wide, SMALLEST, 1.0)))


def _fit_temperature(logits: Floats, labels: npt.NDArray[np.int64]) -> float:
    def loss(log_temperature: float) -> float:
        return _cross_entropy(logits / np.exp(log_temperature), np.eye(logits.shape[1])[labels])

    best = minimize_scalar(loss, bounds=(np.log(0.05), np.log(50.0)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(best.x))


def _fit_platt(logits: Floats, labels: npt.NDArray[np.int64]) -> dict[str, Any]:
    difference = logits[:, 1] - logits[:, 0]
    positives = int(labels.sum())
    negatives = len(labels) - positives
    # Platt's targets: one more of each class, so that separable validation images do not drive the slope to infinity.
    target = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(values: Floats) -> tuple[float, Floats]:
        score = values[0] * difference + values[1]
        error = 1 / (1 + np.exp(-np.clip(score, -500, 500))) - target
        value = float(np.mean(np.logaddexp(0, score) - target * score))
        return value, np.array([np.mean(error * difference), np.mean(error)])

    slope, offset = _minimize(loss, np.array([1.0, 0.0]))
    # As a map of both logarithms: the softmax sees only their difference.
    return {"weights": [[0.0, 0.0], [-float(slope), float(slope)]], "offsets": [0.0, float(offset)]}


def _fit_linear(logits: Floats, targets: Floats, *, diagonal: bool) -> dict[str, Any]:
    rows, classes = logits.shape
    off_diagonal = ~np.eye(classes, dtype=bool)

    def unpack(values: Floats) -> tuple[Floats, Floats]:
        if diagonal:
            return np.diag(values[:classes]), values[classes:]
        return values[: classes * classes].reshape(classes, classes), values[classes * classes :]

    strength = 0.0 if diagonal else REGULARISATION

    def loss(values: Floats) -> tuple[float, Floats]:
        weights, offsets = unpack(values)
        scores = logits @ weights.T + offsets
        error = (softmax(scores) - targets) / rows
        spare = weights * off_diagonal
        # The offsets of a softmax are free up to a constant; a whiff of regularisation settles it.
        pull = strength + 1e-9
        value = _cross_entropy(scores, targets) + strength * (spare**2).sum() + pull * (offsets**2).sum()
        slope = error.T @ logits + 2 * strength * spare
        first = np.diag(slope) if diagonal else slope.ravel()
        return float(value), np.concatenate([first, error.sum(axis=0) + 2 * pull * offsets])

    start = np.concatenate([np.ones(classes) if diagonal else np.eye(classes).ravel(), np.zeros(classes)])
    weights, offsets = unpack(_minimize(loss, start))
    return {"weights": weights.tolist(), "offsets": offsets.tolist()}


def _minimize(loss: Callable[[Floats], tuple[float, Floats]], start: Floats) -> Floats:
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options=_PRECISE).x, dtype=np.float64)


def _cross_entropy(scores: Floats, targets: Floats) -> float:
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-(targets * logs).sum(axis=1).mean())


def _fit_isotonic(scores: Floats, positive: npt.NDArray[np.bool_]) -> dict[str, list[float]]:
    curve = IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0).fit(scores, positive.astype(np.float64))
    return {"x": curve.X_thresholds_.tolist(), "y": curve.y_thresholds_.tolist()}


def _apply_isotonic(wide: Floats, curves: list[Mapping[str, list[float]]]) -> Floats:
    if len(curves) == 1:
        positive = np.interp(wide[:, 1], curves[0]["x"], curves[0]["y"])
        return np.stack([1 - positive, positive], axis=1)
    each = np.stack([np.interp(wide[:, index], curve["x"], curve["y"]) for index, curve in enumerate(curves)], axis=1)
    sums = each.sum(axis=1, keepdims=True)
    # Where every class is ruled out nothing is known.
    return np.asarray(np.divide(each, sums, out=np.full_like(each, 1 / len(curves)), where=sums > 0))
