"""Logistic regressions over a grid of penalties, scored on held-out cases."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from breastcls.errors import TrainingWarning
from breastcls.features.standardisation import standardise

Matrix = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

GRID = tuple(float(f"{10**exponent:.4g}") for exponent in np.arange(-8, 1.1, 0.5))
"""The values of C, from the strongest penalty to the weakest."""

# C is the weight of the loss relative to the penalty: below 0.1 / n, for n images, the penalty dominates.
LEAST_SHARE = 0.1
# After so many steps without a better score the search ends, since weaker penalties overfit more.
_PATIENCE = 3
_MOST_STEPS = 2000

Scores = dict[float, tuple[float, float]]
"""C to the log loss by case over held-out folds, and its standard error over cases."""


class Regression:
    """Logistic regression on standardised features; each fit starts from the previous solution.

    Args:
        features: float64 of shape (n, d).
        labels: Class indices, shape (n,), each class at least once.
        weights: The weight of a row of each class.
        tolerance: Largest element of the gradient of the mean loss at the end.
        exact: Whether to compute in float64 and not in float32, which is twice as fast and accurate enough to choose C.
    """

    def __init__(
        self, features: Matrix, labels: Integers, weights: Sequence[float], tolerance: float, *, exact: bool = True
    ) -> None:
        self.mean, self.scale = standardise(features)
        standard = (features - self.mean) / self.scale
        self._features, self._labels = standard if exact else standard.astype(np.float32), labels
        self._model = LogisticRegression(
            solver="lbfgs",
            class_weight=dict(enumerate(weights)),
            tol=tolerance,
            max_iter=_MOST_STEPS,
            warm_start=True,
        )

    def fit(self, c: float) -> bool:
        """Fit with the penalty 1/c; return whether it converged."""
        # `fit_linear_probe` has checked the arguments; checking them again in each of sixty fits takes time.
        with warnings.catch_warnings(), config_context(assume_finite=True, skip_parameter_validation=True):
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.set_params(C=c).fit(self._features, self._labels)
        return bool(self._model.n_iter_.max() < _MOST_STEPS)

    def layer(self) -> tuple[Matrix, Matrix]:
        """Return kernel (d, classes) and bias (classes,) of the softmax layer on features as they are."""
        coefficients = self._model.coef_.astype(np.float64)
        intercept = self._model.intercept_.astype(np.float64)
        if len(coefficients) == 1:
            # Of all softmax layers with these probabilities this one has the smallest weights.
            coefficients = np.concatenate([-coefficients, coefficients]) / 2
            intercept = np.concatenate([-intercept, intercept]) / 2
        kernel = (coefficients / self.scale).T
        bias = intercept - self.mean @ kernel
        # Subtracting the same number for all classes changes no probability.
        return kernel, bias - bias.mean()


def split_cases(labels: Integers, groups: Integers, class_count: int, folds: int, seed: int) -> list[Integers]:
    """Return the held-out rows of each fold, whole groups, every class in every training part.

    Args:
        labels: Class indices, shape (n,).
        groups: The case of each row, as a number.
        class_count: Number of classes.
        folds: Number of folds; fewer if a class would be missing from a training part otherwise.
        seed: The seed of the division of groups.

    Returns:
        At least two folds, or none if that is impossible.
    """
    most = min(folds, len(np.unique(groups)), int(np.bincount(labels).max()))
    for number in range(most, 1, -1):
        splitter = StratifiedGroupKFold(number, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            # It warns of classes with fewer rows than folds; the condition that matters is checked below.
            warnings.simplefilter("ignore", UserWarning)
            held = [rows for _, rows in splitter.split(labels, labels, groups) if len(rows)]
        if len(held) > 1 and all(len(np.unique(np.delete(labels, rows))) == class_count for rows in held):
            return held
    return []


class CaseLosses:
    """The log loss by case: each case (each class of a case) once, by the mean probability of its images.

    Args:
        labels: Class indices, shape (n,).
        groups: The case of each row, as a number.
        weights: The weight of a case of each class.
    """

    def __init__(self, labels: Integers, groups: Integers, weights: Sequence[float]) -> None:
        # A case of several classes is one for each of them.
        _, first, self._member = np.unique(groups * len(weights) + labels, return_index=True, return_inverse=True)
        self._sizes, self._shares = np.bincount(self._member), np.asarray(weights)[labels[first]]

    def score(self, probabilities: Matrix) -> tuple[float, float]:
        """Return mean and standard error over cases, from the probability of the true class of each row."""
        means = np.bincount(self._member, probabilities) / self._sizes
        losses = -np.log(np.clip(means, 1e-12, 1.0))
        mean = float(np.average(losses, weights=self._shares))
        error = float(np.sqrt(np.sum((self._shares * (losses - mean)) ** 2)) / self._shares.sum())
        # Rounded, so that ties are not broken by rounding errors.
        return round(mean, 9), round(error, 9)


def score_penalties(
    features: Matrix, labels: Integers, groups: Integers, weights: Sequence[float], parts: Sequence[Integers]
) -> Scores:
    """Return the score of each C for any number of classes, one inner fold after the other.

    Args:
        features: float64 of shape (n, d).
        labels: Class indices, shape (n,).
        groups: The case of each row, as a number.
        weights: The weight of a row of each class in training, and of a case of each class in the score.
        parts: The held-out rows of each fold.

    Returns:
        The scores from a dominating penalty to `_PATIENCE` steps beyond the best.
    """
    predict, losses = _FoldRegressions(features, labels, weights, parts).fit, CaseLosses(labels, groups, weights)
    scores: Scores = {}
    for c in (c for c in GRID if c * len(labels) >= LEAST_SHARE):
        scores[c] = losses.score(predict(c))
        if is_finished(scores):
            break
    return scores


def is_finished(scores: Scores) -> bool:
    """Return whether the last `_PATIENCE` values of C were not better than one before them."""
    return list(scores).index(_best(scores)) + _PATIENCE < len(scores)


class _FoldRegressions:
    """Logistic regressions of any number of classes, one inner fold after the other."""

    def __init__(self, features: Matrix, labels: Integers, weights: Sequence[float], parts: Sequence[Integers]) -> None:
        self._labels, self._folds = labels, []
        for held in parts:
            rest = np.setdiff1d(np.arange(len(labels)), held)
            regression = Regression(features[rest], labels[rest], weights, 1e-5, exact=False)
            self._folds.append((held, features[held], regression))

    def fit(self, c: float) -> Matrix:
        """Return the probability of the true class of each row by the fold that left it out, float64 (n,)."""
        chosen = np.zeros(len(self._labels))
        for held, unseen, regression in self._folds:
            regression.fit(c)
            kernel, bias = regression.layer()
            chosen[held] = softmax(unseen @ kernel + bias, axis=1)[np.arange(len(held)), self._labels[held]]
        return chosen


def choose_penalty(scores: Mapping[float, tuple[float, float]]) -> float:
    """Return the smallest C whose log loss is within one standard error of the best (Breiman et al. 1984).

    Args:
        scores: C to log loss and standard error.

    Example:
        >>> choose_penalty({0.001: (0.60, 0.04), 0.01: (0.52, 0.04), 0.1: (0.50, 0.03), 1.0: (0.55, 0.05)})
        0.01
    """
    loss, error = scores[_best(scores)]
    return min(c for c, (other, _) in scores.items() if other <= loss + error)


def _best(scores: Mapping[float, tuple[float, float]]) -> float:
    return min(scores, key=lambda c: (scores[c][0], c))


def warn_assumed_penalty(cases: Sequence[int], c: float) -> None:
    """Warn that there are too few cases for choosing a penalty."""
    warnings.warn(
        f"The penalty of the linear probe cannot be chosen over cases: the classes have {list(cases)} cases, and every "
        f"training part needs each class. C={c:g} is used.",
        TrainingWarning,
        stacklevel=3,
    )
