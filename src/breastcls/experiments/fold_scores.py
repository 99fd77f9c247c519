"""One score of a cross-validation: of the pooled predictions, and the mean over folds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from breastcls.metrics.classification_metrics import compute_metrics
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.predictions import Predictions


def score_pooled_and_folds(
    predictions: Predictions, fold_of: npt.NDArray[np.int64], metric: str, aggregation: Aggregation | Level
) -> tuple[float, float]:
    """Return a metric of all predictions together, and its mean over the folds in which it is defined.

    Args:
        predictions: Out-of-fold predictions by image.
        fold_of: int64 (n,), the fold of each image.
        metric: One of `breastcls.metrics.METRICS`.
        aggregation: The level that is scored.
    """
    values = fold_values(predictions, fold_of, metric, aggregation)
    pooled = one_metric(predictions.aggregate(aggregation), metric)
    return pooled, float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def one_metric(predictions: Predictions, metric: str) -> float:
    """Return one metric; the AUC of two classes alone, since a permutation test needs it a thousand times."""
    if metric != "roc_auc" or len(predictions.classes) != 2:
        return float(compute_metrics(predictions)[metric])
    positive = predictions.labels == 1
    first, second = int(positive.sum()), int((~positive).sum())
    if first == 0 or second == 0:
        return float("nan")
    ranks = rankdata(predictions.positive)
    return float((ranks[positive].sum() - first * (first + 1) / 2) / (first * second))


def fold_values(
    predictions: Predictions, fold_of: npt.NDArray[np.int64], metric: str, aggregation: Aggregation | Level
) -> npt.NDArray[np.float64]:
    """Return a metric of each fold, in the order of the folds; NaN where it is not defined."""
    return np.array(
        [one_metric(predictions[fold_of == fold].aggregate(aggregation), metric) for fold in np.unique(fold_of)]
    )
