"""ROC and precision-recall curves with a confidence band over cases.

Curves are evaluated on a fixed grid, since a band needs a value of every resample at the same place: sensitivity at 201
false positive rates (linearly interpolated), precision at 100 recalls (of the highest threshold that reaches the
recall, not interpolated, DOI 10.1145/1143844.1143874). The band is pointwise, of percentiles: at each place it covers
the curve with the stated confidence; the coverage of the whole curve is lower.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import metrics as reference

from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_codes, case_strata
from breastcls.intervals.metric_support import fewest_cases
from breastcls.intervals.minimum_cases import MANY_CLASSES, NO_VARIATION, Bounds, no_bounds
from breastcls.intervals.proportion_bounds import Proportions, bound_few, cases_reaching
from breastcls.intervals.weighted_counts import WeightedCounts
from breastcls.metrics.classification_metrics import require_labels
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]

FALSE_POSITIVE_RATES = np.linspace(0.0, 1.0, 201)
RECALLS = np.linspace(0.01, 1.0, 100)
# With more classes, curves have no bands: one for each class against the rest takes a bootstrap of its own.
MOST_CLASSES_WITH_BANDS = 20
# Bands use at most so many thresholds, at quantiles of the scores; a finer band could not be seen.
MOST_THRESHOLDS = 1000

ROC_COLUMNS = ("threshold", "fpr", "tpr", "low", "high", "reason")
PRECISION_RECALL_COLUMNS = ("threshold", "recall", "precision", "low", "high", "reason")


def compute_curves(predictions: Predictions, bootstrap: Bootstrap) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the ROC and the precision-recall curve with bands.

    Args:
        predictions: Predictions with known classes.
        bootstrap: How the bands are computed.

    Returns:
        Two tables, `ROC_COLUMNS` and `PRECISION_RECALL_COLUMNS`. With more than two classes both have a first column
        `class` and hold one curve per class against the rest. A class that is absent, or alone, has no curve. With more
        than 20 classes the curves have no bands.

    Raises:
        EvaluationError: If a true class is not known.
    """
    require_labels(predictions)
    classes = predictions.classes
    roc, precision_recall = [], []
    codes = case_codes(predictions)
    strata = case_strata(predictions.labels, codes, len(classes))
    for index in [1] if len(classes) == 2 else range(len(classes)):
        positive = predictions.labels == index
        if positive.all() or not positive.any():
            continue
        drawn = bootstrap if len(classes) <= MOST_CLASSES_WITH_BANDS else None
        tables = _one_curve(predictions.probabilities[:, index], positive, codes, strata, drawn)
        if len(classes) > 2:
            for table in tables:
                table.insert(0, "class", classes[index])
        roc.append(tables[0])
        precision_recall.append(tables[1])
    first = () if len(classes) == 2 else ("class",)
    return (
        pd.concat(roc, ignore_index=True) if roc else pd.DataFrame(columns=[*first, *ROC_COLUMNS]),
        pd.concat(precision_recall, ignore_index=True)
        if precision_recall
        else pd.DataFrame(columns=[*first, *PRECISION_RECALL_COLUMNS]),
    )


def _one_curve(
    scores: npt.NDArray[np.float32],
    positive: npt.NDArray[np.bool_],
    codes: npt.NDArray[np.int64],
    strata: npt.NDArray[np.int64],
    bootstrap: Bootstrap | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    false, true, thresholds = reference.roc_curve(positive, scores, drop_intermediate=False)
    sensitivity = np.interp(FALSE_POSITIVE_RATES, false, true)
    at = np.searchsorted(false, FALSE_POSITIVE_RATES, side="right") - 1
    found, wrong = true * positive.sum(), false * (~positive).sum()
    # Rounding must not push a recall just below the place that it reaches.
    reach = np.searchsorted(true, RECALLS - 1e-12, side="left")
    precision = found[reach] / (found[reach] + wrong[reach])
    values = np.concatenate([sensitivity, precision])
    if bootstrap is None:
        low, high, reason = no_bounds(MANY_CLASSES, len(values))
    else:
        limits = np.concatenate([thresholds[at], thresholds[reach]])
        low, high, reason = _band(values, limits, scores, positive, codes, strata, bootstrap)
    split = len(FALSE_POSITIVE_RATES)
    roc = pd.DataFrame(
        {
            "threshold": thresholds[at].astype(np.float64),
            "fpr": FALSE_POSITIVE_RATES,
            "tpr": sensitivity,
            "low": low[:split],
            "high": high[:split],
            "reason": reason[:split],
        }
    )
    # Every curve starts where nothing is predicted positive, which is no estimate.
    first = {"threshold": [np.inf], "fpr": [0.0], "tpr": [0.0], "low": [np.nan], "high": [np.nan]}
    start = pd.DataFrame({**first, "reason": [NO_VARIATION]})
    precision_recall = pd.DataFrame(
        {
            "threshold": thresholds[reach].astype(np.float64),
            "recall": RECALLS,
            "precision": precision,
            "low": low[split:],
            "high": high[split:],
            "reason": reason[split:],
        }
    )
    return pd.concat([start, roc], ignore_index=True), precision_recall


def _band(
    values: Floats,
    limits: Floats,
    scores: npt.NDArray[np.float32],
    positive: npt.NDArray[np.bool_],
    codes: npt.NDArray[np.int64],
    strata: npt.NDArray[np.int64],
    bootstrap: Bootstrap,
) -> Bounds:
    """Return the bounds of both curves at each place of their grids, (301,)."""
    statistic = _WeightedCurves(scores, positive, codes, len(strata)).compute
    held = np.zeros((len(strata), 2), dtype=bool)
    held[codes, positive.astype(np.int64)] = True
    bounds = dataclasses.replace(bootstrap, method="percentile").intervals(statistic, strata, fewest_cases(held))
    split = len(FALSE_POSITIVE_RATES)
    # The sensitivity is a proportion of the positive images, the precision of those that are predicted positive.
    found = Proportions.reaching(scores[positive], codes[positive], limits[:split])
    called, right, wrong = (
        cases_reaching(scores[rows], codes[rows], limits[split:])
        for rows in (np.ones(len(scores), dtype=bool), positive, ~positive)
    )
    cases = np.concatenate([found.cases, called])
    varying = np.concatenate([found.varying, np.minimum(right, wrong)])
    # At a false positive rate of 1 everything is predicted positive, by definition.
    shares = Proportions(values, np.ones(len(values)), cases, varying).mask(np.arange(len(values)) != split - 1)
    return _rising(bound_few(bounds, shares, bootstrap.confidence))


def _rising(bounds: Bounds) -> Bounds:
    """Widen the bounds of the ROC curve so that they never fall, as the sensitivity never does."""
    split = len(FALSE_POSITIVE_RATES)
    low, high = bounds.low.copy(), bounds.high.copy()
    low[:split] = np.fmin.accumulate(low[:split][::-1])[::-1]
    high[:split] = np.fmax.accumulate(high[:split])
    none = bounds.reason != ""
    return Bounds(np.where(none, bounds.low, low), np.where(none, bounds.high, high), bounds.reason)


class _WeightedCurves:
    """Both curves of weighted cases, on their grids."""

    def __init__(
        self,
        scores: npt.NDArray[np.float32],
        positive: npt.NDArray[np.bool_],
        codes: npt.NDArray[np.int64],
        cases: int,
    ) -> None:
        steps = np.unique(scores)
        if len(steps) > MOST_THRESHOLDS:
            steps = np.unique(np.quantile(scores, np.linspace(0, 1, MOST_THRESHOLDS), method="lower"))
        # Step 0 counts the scores at or above the highest threshold; those of negative rows follow the others.
        reached = len(steps) - np.searchsorted(steps, scores, side="right")
        self._steps = len(steps)
        self._counts = WeightedCounts(np.where(positive, reached, reached + len(steps)), codes, 2 * len(steps), cases)

    def compute(self, weights: Floats) -> Floats:
        """Return sensitivities and precisions on the grids, (resamples, 301)."""
        step = max(1, 2_000_000 // self._steps)
        parts = [self._compute(weights[start : start + step]) for start in range(0, len(weights), step)]
        return np.concatenate(parts)

    def _compute(self, weights: Floats) -> Floats:
        counts = self._counts.weigh(weights)
        found, wrong = (np.cumsum(part, axis=1) for part in (counts[:, : self._steps], counts[:, self._steps :]))
        result = np.full((len(weights), len(FALSE_POSITIVE_RATES) + len(RECALLS)), np.nan)
        for row, true, false in zip(result, found, wrong, strict=True):
            if true[-1] == 0 or false[-1] == 0:
                continue
            rates = np.concatenate([[0.0], false / false[-1]])
            recalls = np.concatenate([[0.0], true / true[-1]])
            row[: len(FALSE_POSITIVE_RATES)] = np.interp(FALSE_POSITIVE_RATES, rates, recalls)
            reach = np.searchsorted(recalls[1:], RECALLS - 1e-12, side="left")
            row[len(FALSE_POSITIVE_RATES) :] = true[reach] / (true[reach] + false[reach])
        return result
