"""Logistic regressions of two classes on all training parts of a cross-validation at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from breastcls.features.standardisation import standardise

Matrix = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Largest element of the gradient of the sum of mean losses, in coordinates in which the curvature is about 1.
_TOLERANCE = 1e-5
_MOST_STEPS = 2000
_MOST_LINE_SEARCH_STEPS = 50


class StackedRegressions:
    """Logistic regressions with an L2 penalty on standardised features, one for each fold, fitted together.

    The sum of the losses of all folds has its minimum where each has its own. So one run of L-BFGS on the coefficients
    of all folds takes the place of one for each, and its products of matrices that of products with vectors: with
    hundreds of images most of the time of a single fit is not spent in products. It runs in the principal axes of the
    features, each scaled by the curvature of the loss and the penalty along it where all probabilities are one half, so
    that it takes few steps. Each fit starts from the previous solution.

    Args:
        features: float64 of shape (n, d).
        labels: 0 or 1, shape (n,).
        weights: The weight of a row of each class.
        parts: The held-out rows of each fold; every row is held out once.
    """

    def __init__(self, features: Matrix, labels: Integers, weights: Sequence[float], parts: Sequence[Integers]) -> None:
        mean, scale = standardise(features)
        # Accurate enough to choose a penalty, and twice as fast.
        self._features = ((features - mean) / scale).astype(np.float32)
        self._parts, self._labels = parts, labels
        self._sides = (2 * labels - 1).astype(np.float32)[:, None]
        shares = np.repeat(np.asarray(weights, np.float64)[labels][:, None], len(parts), axis=1)
        means, scales = [], []
        for fold, held in enumerate(parts):
            shares[held, fold] = 0.0
            mean, scale = standardise(np.delete(self._features, held, axis=0).astype(np.float64))
            means.append(mean)
            scales.append(scale)
        self._means, self._scales = np.stack(means).astype(np.float32), np.stack(scales).astype(np.float32)
        self._totals = shares.sum(axis=0)
        self._shares = (shares / self._totals).astype(np.float32)
        self._signed_shares = -self._sides * self._shares
        # Coefficients of the principal axes, and of the constant.
        self._solution = np.zeros((len(parts), features.shape[1] + 1))
        wide = self._features.astype(np.float64)
        spread, axes = np.linalg.eigh(wide.T @ wide / len(wide))
        self._spread, self._axes = np.maximum(spread, 0.0), axes.astype(np.float32)
        self._along_axes = self._features @ self._axes

    def fit(self, c: float) -> Matrix:
        """Fit with the penalty 1/c; return the probability of the true class of each row by the fold that left it out.

        Returns:
            float64 (n,).
        """
        penalties = (1 / (c * self._totals))[:, None]
        curvature = self._spread / 4 + penalties.mean()
        units = np.sqrt(curvature)
        start = self._solution.copy()
        start[:, :-1] *= units
        options: Any = {
            "maxiter": _MOST_STEPS,
            "maxls": _MOST_LINE_SEARCH_STEPS,
            "gtol": _TOLERANCE,
            "ftol": 64 * np.finfo(float).eps,
        }
        found = minimize(self._loss, start.ravel(), (penalties, units), "L-BFGS-B", jac=True, options=options)
        self._solution = found.x.reshape(start.shape)
        self._solution[:, :-1] /= units
        logits = self._margins(self._solution)[0]
        chosen = np.empty(len(logits))
        for fold, held in enumerate(self._parts):
            chosen[held] = expit(logits[held, fold].astype(np.float64))
        return chosen

    def _margins(self, coefficients: Matrix) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return the logits towards the true class, (n, folds), and the kernels of the features, (folds, d)."""
        along_axes = coefficients[:, :-1].astype(np.float32)
        kernels = along_axes @ self._axes.T
        # The features of each fold are centred on its own training part.
        offsets = (coefficients[:, -1] - (self._means * kernels).sum(axis=1)).astype(np.float32)
        return self._sides * (self._along_axes @ along_axes.T + offsets), kernels

    def _loss(self, solution: Any, penalties: Matrix, units: Matrix) -> tuple[float, Any]:
        """Return the sum over folds of the mean loss with penalty, and its gradient, in units of the curvature."""
        coefficients = solution.reshape(len(self._parts), -1).copy()
        coefficients[:, :-1] /= units
        margins, kernels = self._margins(coefficients)
        # log(1 + exp(-m)) and its derivative without overflow.
        small = np.exp(-np.abs(margins))
        losses = np.log1p(small) - np.minimum(margins, 0)
        residuals = np.where(margins > 0, small, 1.0) / (1 + small) * self._signed_shares
        # The penalty is on the coefficients of features that are scaled on the training part of each fold.
        scaled = kernels * self._scales
        loss = np.einsum("nf,nf->", losses, self._shares, dtype=np.float64) + 0.5 * (penalties * scaled**2).sum()
        sums = residuals.sum(axis=0)
        of_kernels = (penalties * scaled * self._scales - self._means * sums[:, None]).astype(np.float32)
        gradient = np.empty_like(coefficients)
        gradient[:, :-1] = (residuals.T @ self._along_axes + of_kernels @ self._axes) / units
        gradient[:, -1] = sums
        return float(loss), gradient.ravel()
