"""DeLong's variance of correlated AUCs, and its form for clustered data.

DeLong et al. 1988, DOI 10.2307/2531595; the fast form by ranks of Sun & Xu 2014, DOI 10.1109/LSP.2014.2337313. Images
of one case are not independent, so their structural components are summed by case: Obuchowski 1997, DOI
10.2307/2533958.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from scipy.stats import rankdata

from breastcls.errors import EvaluationError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CorrelatedAUC:
    """AUCs of several models on the same images.

    Attributes:
        auc: float64 (models,).
        covariance: float64 (models, models).
    """

    auc: Floats
    covariance: Floats

    def difference(self, first: int, second: int) -> tuple[float, float, float]:
        """Return the difference of two AUCs (first - second), its standard error, and the two-sided p-value.

        Args:
            first: Index of a model.
            second: Index of the model whose AUC is subtracted.
        """
        contrast = np.zeros(len(self.auc))
        contrast[first], contrast[second] = 1.0, -1.0
        difference = float(contrast @ self.auc)
        variance = float(contrast @ self.covariance @ contrast)
        error = float(np.sqrt(max(variance, 0.0)))
        if error == 0:
            return difference, 0.0, 1.0 if difference == 0 else 0.0
        return difference, error, float(2 * ndtr(-abs(difference) / error))


def delong(scores: Any, labels: Any, cases: Any = None) -> CorrelatedAUC:
    """Return AUCs with their covariance.

    Args:
        scores: (models, n) or (n,), each model's probability of the positive class for the same images.
        labels: (n,), 1 for the positive class, 0 for the other.
        cases: (n,), index or name of the case of each image; None: images are independent (DeLong).

    Returns:
        A `CorrelatedAUC`: the AUC of each model, float64 (models,), and their covariance, float64 (models, models).

    Raises:
        EvaluationError: If there are not at least two images, or cases, of each class.

    Example:
        >>> found = delong([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
        >>> found.auc.tolist(), found.covariance.round(4).tolist()
        ([0.75], [[0.125]])
    """
    wide = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    positive = np.asarray(labels) == 1
    parts = [_components(row[positive], row[~positive]) for row in wide]
    of_positives = np.stack([part[0] for part in parts])
    of_negatives = np.stack([part[1] for part in parts])
    auc = of_positives.mean(axis=1)
    centred = of_positives - auc[:, None], of_negatives - auc[:, None]
    count_positive, count_negative = int(positive.sum()), int((~positive).sum())
    if cases is None:
        if min(count_positive, count_negative) < 2:
            raise EvaluationError("A variance of the AUC needs two images of each class.")
        covariance = centred[0] @ centred[0].T / (count_positive * (count_positive - 1))
        covariance += centred[1] @ centred[1].T / (count_negative * (count_negative - 1))
        return CorrelatedAUC(auc, covariance)
    names: npt.NDArray[Any] = np.asarray(cases)
    codes = np.asarray(np.unique(names, return_inverse=True)[1]).reshape(-1)
    by_case = [_sum_by_case(values, codes[where]) for values, where in zip(centred, (positive, ~positive), strict=True)]
    # The sums are scaled by the number of cases of each class, as in Obuchowski 1997.
    with_positive, with_negative = (len(np.unique(codes[where])) for where in (positive, ~positive))
    if min(with_positive, with_negative) < 2:
        raise EvaluationError("A variance of the AUC over cases needs two cases of each class.")
    count = int(codes.max()) + 1
    first, second = (_widen(part, count) for part in by_case)
    within_positive = with_positive / (with_positive - 1) * first @ first.T / count_positive**2
    within_negative = with_negative / (with_negative - 1) * second @ second.T / count_negative**2
    across = count / (count - 1) * (first @ second.T + second @ first.T) / (count_positive * count_negative)
    return CorrelatedAUC(auc, within_positive + within_negative + across)


def _components(positive: Floats, negative: Floats) -> tuple[Floats, Floats]:
    """Return the share of negatives below each positive, and of positives above each negative; ties count half."""
    if len(positive) == 0 or len(negative) == 0:
        raise EvaluationError("An AUC needs images of both classes.")
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[: len(positive)] - rankdata(positive)) / len(negative)
    below = 1.0 - (ranks[len(positive) :] - rankdata(negative)) / len(positive)
    return above, below


def _sum_by_case(values: Floats, codes: npt.NDArray[np.int64]) -> Floats:
    return np.stack([np.bincount(codes, weights=row) for row in values])


def _widen(values: Floats, count: int) -> Floats:
    return np.pad(values, ((0, 0), (0, count - values.shape[1])))
