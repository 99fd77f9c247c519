"""Fitting of calibration maps on validation predictions.

Temperature, vector and matrix scaling: Guo et al. 2017, arXiv:1706.04599. Platt scaling: Platt 1999, with its smoothed
targets. Isotonic regression: Zadrozny & Elkan 2002, DOI 10.1145/775047.775151. Dirichlet calibration with its
off-diagonal and intercept regularisation: Kull et al. 2019, arXiv:1910.12656.

With few cases the published fits diverge: if the validation images happen to be separable, the best temperature is zero
and the best weights are infinite. So a temperature, as the factor 1 / temperature, and the parameters of a vector or
Dirichlet map are regularised towards the identity, each by half its squared distance divided by the number of *cases*:
a normal prior of standard deviation one, if a case counts as one observation. With many cases the effect vanishes and
the published fit remains. Smoothed targets, Platt's remedy, bound a temperature too, but by the number of images, and
reduce confidence also where the model was right to be confident.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from scipy.special import softmax
from sklearn.isotonic import IsotonicRegression

from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.intervals.few_case_support import warn_few_cases
from breastcls.metrics.classification_metrics import require_labels
from breastcls.models.calibration_map import CalibrationMap
from breastcls.models.log_probabilities import log_probabilities
from breastcls.predictions.array_arguments import check_word
from breastcls.predictions.predictions import Predictions
from breastcls.result import ShownInNotebook
from breastcls.text_tables import format_count

Method = Literal["temperature", "platt", "isotonic", "vector", "dirichlet"]
METHODS = ("temperature", "platt", "isotonic", "vector", "dirichlet")
Floats = npt.NDArray[np.float64]
# Kull et al. choose it by cross-validation; a single small value keeps few validation cases from being fitted exactly.
REGULARISATION = 1e-3
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 50.0
_PRECISE: Any = {"maxiter": 2000, "ftol": 1e-13, "gtol": 1e-9}


class Calibrator(ShownInNotebook, CalibrationMap):
    """A fitted calibration map that can be applied to `Predictions`; see `fit_calibrator`.

    Call `apply` on predictions, or store the map with the model by `store_calibration`. It is a fitted
    map from probabilities to probabilities of one of five methods, see `fit_calibrator`.
    """

    def apply(self, predictions: Predictions) -> Predictions:
        """Return calibrated predictions without a threshold, since one chosen before no longer has its meaning.

        They record the cases that the calibration was fitted on (`Predictions.calibration`), so that `evaluate` refuses
        to score them on one of these cases.

        Raises:
            EvaluationError: If the classes differ.
        """
        if predictions.classes != self.classes:
            raise EvaluationError(
                f"The calibration was fitted for the classes {self.classes}; the predictions have the classes "
                f"{predictions.classes}. Fit it on predictions of these classes."
            )
        return dataclasses.replace(
            predictions,
            probabilities=self(predictions.probabilities),
            threshold=None,
            # They were found for the probabilities before.
            prediction_sets=None,
            ood=None,
            calibration=self.record(predictions.calibration),
        )


def fit_calibrator(predictions: Predictions, method: Method = "temperature") -> Calibrator:
    """Fit a calibration map on validation or out-of-fold predictions.

    Args:
        predictions: With known classes, of neither the training nor the test set.
        method: "temperature" (one parameter, does not change the most probable class; the safest with few cases),
            "platt" (two classes, two parameters), "isotonic" (a monotone step function per class; needs many cases),
            "vector" (a factor and an offset per class) or "dirichlet" (a full matrix, regularised). With few cases a
            temperature, vector or Dirichlet map is close to the identity; without names of cases every row counts as
            one.

    Returns:
        The map; call `apply` on other predictions, or store it with the model by `store_calibration`.

    Raises:
        EvaluationError: If the predictions are of the training or test set or do not contain every class, or Platt
            scaling is requested with more than two classes.

    Warns:
        EvaluationWarning: If a class has fewer than five cases, or a temperature reaches a bound, as it does for a
            model that is worse than chance.

    Example:
        >>> import numpy as np
        >>> labels = np.tile([0, 1, 1, 1, 1], 20)
        >>> sure = Predictions.from_arrays(probabilities=np.full(100, 0.99), labels=labels, classes=("no", "yes"))
        >>> fit_calibrator(sure, "platt").apply(sure).positive[0].item() < 0.81
        True
    """
    check_word(method, "method", METHODS)
    if predictions.part in ("test", "train"):
        test = predictions.part == "test"
        why = "is optimistic" if test else "is overconfident, since the model was trained on these images"
        raise EvaluationError(
            f"These are {predictions.part} predictions; a calibration fitted on them {why}. Fit it on "
            "`predict(model, val)` or on out-of-fold predictions."
        )
    require_labels(predictions)
    classes = len(predictions.classes)
    if len(np.unique(predictions.labels)) < classes:
        raise EvaluationError(
            "A calibration needs images of every class, and some class has none. Pass predictions of more images."
        )
    if method == "platt" and classes != 2:
        raise EvaluationError(f'"platt" is for two classes; there are {classes}. "vector" is its counterpart for more.')
    warn_few_cases(predictions, "The calibration")
    wide = predictions.probabilities.astype(np.float64)
    cases = () if predictions.cases is None else tuple(sorted(set(predictions.cases.tolist())))
    parameters = _fit(wide, predictions.labels, method, len(cases) or len(predictions))
    if method == "temperature":
        _warn_at_bounds(parameters["temperature"], predictions, len(cases))
    return Calibrator(
        method=method,
        classes=predictions.classes,
        parameters=parameters,
        images=len(predictions),
        cases=cases,
        level=predictions.level,
        aggregation_method=predictions.aggregation_method,
    )


def _warn_at_bounds(temperature: float, predictions: Predictions, cases: int) -> None:
    on = format_count(cases, "case") if cases else f"{len(predictions)} {predictions.level}s of unknown cases"
    if temperature > 0.999 * HIGHEST_TEMPERATURE:
        warnings.warn(
            f"The temperature stopped at its bound of {HIGHEST_TEMPERATURE:g}, on {on}: the predicted classes are "
            "not the more frequent ones, which no temperature can correct. Check whether classes or labels are "
            "swapped and whether the model is better than chance; with few cases, use more of them or "
            "out-of-fold predictions.",
            EvaluationWarning,
            stacklevel=3,
        )
    elif temperature < 1.001 * LOWEST_TEMPERATURE:
        warnings.warn(
            f"The temperature stopped at its bound of {LOWEST_TEMPERATURE:g}, on {on}: the probabilities are far less "
            "extreme than the model is accurate. Check whether they are a softmax of the logits and "
            'not of values already between 0 and 1; else fit "platt" or "vector".',
            EvaluationWarning,
            stacklevel=3,
        )


def _fit(wide: Floats, labels: npt.NDArray[np.int64], method: str, cases: int) -> dict[str, Any]:
    classes = wide.shape[1]
    targets = np.eye(classes)[labels]
    if method == "temperature":
        return {"temperature": _fit_temperature(log_probabilities(wide), targets, 1 / (2 * cases))}
    if method == "isotonic":
        ranked = [1] if classes == 2 else range(classes)
        return {"curves": [_fit_isotonic(wide[:, index], labels == index) for index in ranked]}
    if method == "platt":
        return _fit_platt(log_probabilities(wide), labels)
    return _fit_linear(log_probabilities(wide), targets, 1 / (2 * cases), diagonal=method == "vector")


def _fit_temperature(logits: Floats, targets: Floats, pull: float) -> float:
    def loss(log_temperature: float) -> float:
        # Both parts are convex in the factor, so there is one minimum.
        factor = np.exp(-log_temperature)
        return _cross_entropy(logits * factor, targets) + pull * float(factor - 1) ** 2

    best = minimize_scalar(
        loss,
        bounds=(np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE)),
        method="bounded",
        options={"xatol": 1e-6},
    )
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
    # As a map of both logarithms, since the softmax depends only on their difference.
    return {"weights": [[0.0, 0.0], [-float(slope), float(slope)]], "offsets": [0.0, float(offset)]}


def _fit_linear(logits: Floats, targets: Floats, pull: float, *, diagonal: bool) -> dict[str, Any]:
    rows, classes = logits.shape
    identity = np.eye(classes)
    # A vector map has no numbers beside the diagonal to regularise.
    regularisation = pull + (0.0 if diagonal else REGULARISATION)
    strength = np.where(identity == 1, pull, regularisation)

    def unpack(values: Floats) -> tuple[Floats, Floats]:
        if diagonal:
            return np.diag(values[:classes]), values[classes:]
        return values[: classes * classes].reshape(classes, classes), values[classes * classes :]

    def loss(values: Floats) -> tuple[float, Floats]:
        weights, offsets = unpack(values)
        scores = logits @ weights.T + offsets
        error = (softmax(scores, axis=-1) - targets) / rows
        away = weights - identity
        value = _cross_entropy(scores, targets) + (strength * away**2).sum() + regularisation * (offsets**2).sum()
        slope = error.T @ logits + 2 * strength * away
        first = np.diag(slope) if diagonal else slope.ravel()
        return float(value), np.concatenate([first, error.sum(axis=0) + 2 * regularisation * offsets])

    start = np.concatenate([np.ones(classes) if diagonal else identity.ravel(), np.zeros(classes)])
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
