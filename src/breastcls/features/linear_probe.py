"""The linear probe: an exact logistic regression on features, its penalty chosen over cases.

It is the baseline for every fine-tuned model: no learning rate, no epochs, the same result each time. Nothing here
needs Keras, so that processes that only fit probes start quickly.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from breastcls.argument_checks import check_count
from breastcls.errors import TrainingError, TrainingWarning
from breastcls.features.nested_probes import ProbeTask, fit_probes, search_penalties
from breastcls.features.penalty_search import (
    Integers,
    Regression,
    Scores,
    choose_penalty,
    score_penalties,
    split_cases,
    warn_assumed_penalty,
)
from breastcls.features.shared_features import MOST_EXACT_VALUES, SharedFeatures, row_blocks
from breastcls.result import ShownInNotebook
from breastcls.text_tables import format_count

ASSUMED_C = 1e-2
"""Where there are too few cases for folds."""


@dataclass(frozen=True, eq=False)
class LinearProbe(ShownInNotebook):
    """A softmax layer on features.

    Args:
        kernel: float32 of shape (d, classes).
        bias: float32 of shape (classes,).
        c: The chosen C of scikit-learn: the inverse of the penalty on standardised features.
        scores: For each C that was tried, the log loss by case over the held-out folds and its standard error. Empty if
            there were too few cases for folds.
        folds: Number of folds of the choice; 0 if there were too few cases.
    """

    kernel: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    c: float
    scores: dict[float, tuple[float, float]]
    folds: int

    def probabilities(self, features: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Return the probability of each class, float32 (n, classes), for features (n, d)."""
        logits = np.asarray(features, np.float64) @ self.kernel.astype(np.float64) + self.bias
        return softmax(logits, axis=1).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return how C was chosen, as JSON types for the record of a run."""
        rows = [{"c": c, "log_loss": loss, "standard_error": error} for c, (loss, error) in self.scores.items()]
        return {"c": self.c, "folds": self.folds, "scores": rows}


def fit_linear_probe(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    cases: npt.ArrayLike,
    class_count: int,
    *,
    class_weight: Mapping[int, float] | None = None,
    folds: int = 5,
    seed: int = 0,
) -> LinearProbe:
    """Fit a multinomial logistic regression with an L2 penalty, its strength chosen by case-wise cross-validation.

    Features are standardised, scikit-learn's `LogisticRegression` is fitted to them by L-BFGS, and the standardisation
    is folded into the result, which then applies to features without standardisation. More than 16 million values of
    two classes are fitted in float32 by a solver of the same loss that needs no copy of them as float64.

    C is searched from 0.1 / n to 10 in half decades: the smallest, that is the strongest penalty, whose log loss over
    held-out cases is within one standard error of the best (Breiman et al. 1984, Classification and Regression
    Trees). With a few dozen cases the best C itself varies by decades between splits; three steps without a better
    one end the search. Each case (each class of a case) is scored once, by the mean probability of its
    images, and counts as its class does in training. Log loss is used and not AUC: it is what is minimised, it is
    defined for any number of classes, and an AUC over a dozen cases has few distinct values and does not measure
    calibration.

    Two classes are fitted as scikit-learn does, with one vector of coefficients; half of it with either sign is the
    softmax layer with the same probabilities.

    Args:
        features: Shape (n, d). Several versions of an image are several rows with its label and case.
        labels: Class indices, shape (n,).
        cases: The case of each row, shape (n,).
        class_count: Number of classes.
        class_weight: The weight of a row of each class, by index; None for 1.
        folds: Number of folds.
        seed: The seed of the division of cases into folds.

    Returns:
        The layer, and how C was chosen. If a class has too few cases to be in every training part, there is a
        `TrainingWarning`, and C is 0.01.

    Raises:
        TrainingError: If the arguments do not fit together, a class has no images, or a feature is not finite.

    Example:
        >>> cases = np.arange(40) // 4
        >>> features = np.random.default_rng(0).normal(size=(40, 3)) + 4 * (cases % 2)[:, None]
        >>> probe = fit_linear_probe(features, cases % 2, cases, class_count=2)
        >>> (probe.probabilities(features).argmax(axis=1) == cases % 2).all()
        np.True_
    """
    x, y, groups = _check(features, labels, cases, class_count, folds)
    weights = [1.0] * class_count
    for index, weight in (class_weight or {}).items():
        weights[index] = float(weight)
    # Threads of small products wait for one another: one thread was twenty times faster on two processors.
    with threadpool_limits(limits=1):
        parts = split_cases(y, groups, class_count, folds, seed)
        if not parts:
            warn_assumed_penalty([len(np.unique(groups[y == label])) for label in range(class_count)], ASSUMED_C)
        if class_count == 2 and x.dtype == np.float32:
            return _fit_many_rows(x, y, groups, weights, parts)
        scores: Scores = {}
        if parts and class_count == 2:
            task = ProbeTask(y, np.arange(len(y)), weights, parts, ASSUMED_C)
            [scores], _ = search_penalties(SharedFeatures.of(x), [task], groups)
        elif parts:
            scores = score_penalties(x, y, groups, weights, parts)
        c = choose_penalty(scores) if parts else ASSUMED_C
        regression = Regression(x, y, weights, tolerance=1e-9)
        if not regression.fit(c):
            warnings.warn(f"The linear probe did not converge with C={c:g}.", TrainingWarning, stacklevel=2)
        kernel, bias = regression.layer()
    return LinearProbe(kernel.astype(np.float32), bias.astype(np.float32), c, scores, len(parts))


def _fit_many_rows(
    x: npt.NDArray[np.float32], y: Integers, groups: Integers, weights: list[float], parts: list[Integers]
) -> LinearProbe:
    """Fit two classes on so many values that a copy of them as float64 is avoided, on several threads."""
    task = ProbeTask(y, np.arange(len(y)), weights, parts, ASSUMED_C)
    [found] = fit_probes(SharedFeatures.of(x), [task], groups, threads=os.cpu_count() or 1)
    if not found.converged:
        warnings.warn(f"The linear probe did not converge with C={found.c:g}.", TrainingWarning, stacklevel=3)
    kernel = np.stack([-found.kernel, found.kernel], axis=1) / 2
    bias = np.array([-found.bias, found.bias]) / 2
    return LinearProbe(kernel.astype(np.float32), bias.astype(np.float32), found.c, found.scores, len(parts))


def _check(
    features: npt.ArrayLike, labels: npt.ArrayLike, cases: npt.ArrayLike, class_count: int, folds: int
) -> tuple[npt.NDArray[Any], Integers, Integers]:
    x, y = np.asarray(features), np.asarray(labels)
    # Above this size float32 is kept, so that hundreds of thousands of rows fit into memory.
    x = x.astype(np.float32 if x.size > MOST_EXACT_VALUES else np.float64, copy=False)
    groups = np.asarray(cases, dtype=object)
    if x.ndim != 2 or y.shape != (len(x),) or groups.shape != (len(x),):
        raise TrainingError(
            f"A linear probe takes features (n, d), labels (n,) and cases (n,); found the shapes {x.shape}, {y.shape} "
            f"and {groups.shape}."
        )
    check_count("folds", folds, 2, error=TrainingError)
    present = np.unique(y)
    if present.tolist() != list(range(class_count)):
        raise TrainingError(
            f"A linear probe needs images of each of the {format_count(class_count, 'class', 'classes')}; the labels "
            f"are {present.tolist()}."
        )
    finite = np.concatenate([np.isfinite(x[block]).all(axis=1) for block in row_blocks(*x.shape)])
    if not finite.all():
        rows = np.flatnonzero(~finite)
        raise TrainingError(f"{format_count(len(rows), 'row')} of features are not finite, the first is row {rows[0]}.")
    return x, y.astype(np.int64), np.unique(groups.astype(str), return_inverse=True)[1].ravel()
