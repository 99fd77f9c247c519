"""One score of a cross-validation: of the pooled predictions, and the mean over folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
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
    return one_metric(predictions.aggregate(aggregation), metric), mean_over_folds(values)


def mean_over_folds(values: npt.ArrayLike) -> float:
    """Return the mean of the values that are defined; NaN if there are none."""
    found = np.asarray(values, np.float64)
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


def one_metric(predictions: Predictions, metric: str) -> float:
    """Return one metric; the AUC of two classes without all the others."""
    if metric != "roc_auc" or len(predictions.classes) != 2:
        return float(compute_metrics(predictions)[metric])
    return binary_auc(predictions.positive, predictions.labels)


def binary_auc(positive: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    """Return the area under the ROC curve of two classes, NaN where one is missing."""
    of_second = labels == 1
    first, second = int(of_second.sum()), int((~of_second).sum())
    if first == 0 or second == 0:
        return float("nan")
    ranks = rankdata(positive)
    return float((ranks[of_second].sum() - first * (first + 1) / 2) / (first * second))


@dataclass(frozen=True, eq=False)
class FoldScorer:
    """Scores many cross-validations of the same images by one metric.

    Attributes:
        classes: Class names.
        cases: (n,).
        slides: (n,).
        metric: One of `breastcls.metrics.METRICS`.
        aggregation: The level that is scored.
    """

    classes: tuple[str, ...]
    cases: npt.NDArray[np.object_]
    slides: npt.NDArray[np.object_]
    metric: str
    aggregation: Aggregation

    def score(
        self, probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], parts: npt.NDArray[np.int64]
    ) -> tuple[float, float]:
        """Return the metric of the pooled predictions, and its mean over the folds in which it is defined."""
        level, several = self.aggregation.level, self.aggregation.mixed_labels
        if (
            self.metric == "roc_auc"
            and len(self.classes) == 2
            and (level == "image" or (level == "case" and self.aggregation.method == "mean" and several == "drop"))
        ):
            return self._auc(probabilities[:, 1], labels, parts)
        predictions = Predictions.from_arrays(
            probabilities=probabilities, labels=labels, classes=self.classes, cases=self.cases, slides=self.slides
        )
        return score_pooled_and_folds(predictions, parts, self.metric, self.aggregation)

    def _auc(
        self, positive: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], parts: npt.NDArray[np.int64]
    ) -> tuple[float, float]:
        """Return the same without tables, since a permutation test needs it a thousand times."""
        codes = None if self.aggregation.level == "image" else pd.factorize(self.cases)[0]

        def of_rows(rows: npt.NDArray[np.bool_]) -> float:
            if codes is None:
                return binary_auc(positive[rows], labels[rows])
            sizes = np.bincount(codes[rows])
            second = np.bincount(codes[rows], weights=labels[rows])
            # Cases of several classes are left out.
            kept = (sizes > 0) & ((second == 0) | (second == sizes))
            means = np.bincount(codes[rows], weights=positive[rows])[kept] / sizes[kept]
            return binary_auc(means.astype(np.float32), (second[kept] > 0).astype(np.int64))

        values = [of_rows(parts == fold) for fold in np.unique(parts)]
        return of_rows(np.ones(len(labels), dtype=bool)), mean_over_folds(values)


def fold_values(
    predictions: Predictions, fold_of: npt.NDArray[np.int64], metric: str, aggregation: Aggregation | Level
) -> npt.NDArray[np.float64]:
    """Return a metric of each fold, in the order of the folds; NaN where it is not defined."""
    return np.array(
        [one_metric(predictions[fold_of == fold].aggregate(aggregation), metric) for fold in np.unique(fold_of)]
    )
