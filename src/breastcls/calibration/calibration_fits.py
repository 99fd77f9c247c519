"""The fits of the parameters of calibration maps.

Temperature, vector and matrix scaling: Guo et al. 2017, arXiv:1706.04599. Platt scaling: Platt 1999, with its smoothed
targets. Isotonic regression: Zadrozny & Elkan 2002, DOI 10.1145/775047.775151. Dirichlet calibration with its
off-diagonal and intercept regularisation: Kull et al. 2019, arXiv:1910.12656.

With few cases the published fits diverge: if the validation images happen to be separable, the best temperature is zero
and the best weights are infinite. So a temperature, as the factor 1 / temperature, and the parameters of a vector or
Dirichlet map are regularised towards the identity, each by half its squared distance divided by the number of *cases*:
a normal prior of standard deviation one, if a case counts as one observation. With many cases the effect vanishes and
the published fit remains. Smoothed targets, as in Platt's method, also bound a temperature, but by the number of
images, and reduce the confidence of correct predictions too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.isotonic import IsotonicRegression

from breastcls.models.log_probabilities import log_probabilities

Floats = npt.NDArray[np.float64]
# Kull et al. choose it by cross-validation; a single small value keeps few validation cases from being fitted exactly.
REGULARISATION = 1e-3
LOWEST_TEMPERATURE = 0.05
HIGHEST_TEMPERATURE = 50.0
_PRECISE: Any = {"maxiter": 2000, "ftol": 1e-13, "gtol": 1e-9}


def fit_parameters(wide: Floats, labels: npt.NDArray[np.int64], method: str, cases: int) -> dict[str, Any]:
    """Return the parameters of a calibration map.

    Args:
        wide: Probabilities, float64 (n, classes).
        labels: Class indices, (n,).
        method: The kind of map.
        cases: The number of independent observations, by which the regularisation is divided.
    """
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
    return float(-(targets * log_softmax(scores, axis=1)).sum(axis=1).mean())


def _fit_isotonic(scores: Floats, positive: npt.NDArray[np.bool_]) -> dict[str, list[float]]:
    curve = IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0).fit(scores, positive.astype(np.float64))
    return {"x": curve.X_thresholds_.tolist(), "y": curve.y_thresholds_.tolist()}
