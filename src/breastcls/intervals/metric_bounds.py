"""Confidence intervals of metrics where the resamples of a bootstrap show too little.

A bootstrap cannot resample an error that is not in the sample. Where each case has one row, simple proportions have
Wilson's interval. Where a case has several, and every resample has the same value, their interval is Wilson's at the
number of cases, since the rows of a case may all be wrong together; the AUC then has the interval of Newcombe 2006.
With fewer than five cases intervals are never narrower than these: no resample is as far out as they have to be. To
means of the recall over classes, Wilson's intervals of the classes that do not vary are added by MOVER (method of
variance estimates recovery, Zou & Donner 2008, DOI 10.1002/sim.3095). Other metrics that do not vary have no interval.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.intervals.auc_interval import auc_interval
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.metric_support import fewest_cases
from breastcls.intervals.minimum_cases import FEW_CASES, NO_VARIATION, ROUNDING, Bounds
from breastcls.intervals.proportions import has_one_row_per_case, wilson_interval
from breastcls.metrics.classification_metrics import METRICS, PER_CLASS, count_confusion
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def bound_proportions(
    predictions: Predictions, bounds: Bounds, shares: tuple[Any, Any], cases: Any, confidence: float
) -> Bounds:
    """Return the bounds of simple proportions, by Wilson's interval where the bootstrap has none that can be used.

    Args:
        predictions: The predictions that were counted. Where each case has one row, all intervals are Wilson's.
        bounds: Those of the bootstrap.
        shares: Successes and trials, counts of rows, in the shape of the bounds; without trials the bounds are kept.
        cases: The number of cases that the trials are of, in the shape of the bounds or one number.
        confidence: Nominal coverage, in 0..1.
    """
    successes, trials = (np.broadcast_to(np.asarray(one, np.float64), bounds.low.shape) for one in shares)
    still = bounds.reason == NO_VARIATION
    if has_one_row_per_case(predictions):
        return bounds.replace(
            (still | (bounds.reason == "")) & (trials > 0), *wilson_interval(successes, trials, confidence)
        )
    at_cases = interval_at_cases(successes, trials, cases, confidence)
    # From three or four cases no resample is as far out as an interval has to be.
    return bounds.replace(still & (trials > 0), *at_cases).widen(np.asarray(cases) < FEW_CASES, *at_cases)


def interval_at_cases(successes: Any, trials: Any, cases: Any, confidence: float) -> tuple[Floats, Floats]:
    """Return Wilson's interval of a proportion of rows, as if each case were one trial; NaN without trials."""
    count = np.asarray(cases, np.float64)
    share = np.divide(successes, trials, out=np.zeros(np.shape(trials)), where=np.asarray(trials) > 0)
    low, high = wilson_interval(share * count, np.broadcast_to(count, share.shape), confidence)
    return np.where(np.asarray(trials) > 0, low, np.nan), np.where(np.asarray(trials) > 0, high, np.nan)


def bound_metrics(
    bounds: Bounds, values: Floats, predictions: Predictions, statistics: CaseStatistics, confidence: float
) -> Bounds:
    """Return the bounds of `METRICS`, completed where the bootstrap has none that can be used.

    Args:
        bounds: Those of the bootstrap, in the order of `METRICS`.
        values: The metrics.
        predictions: The scored predictions.
        statistics: Their statistics by case.
        confidence: Nominal coverage, in 0..1.
    """
    counts = count_confusion(predictions.labels, predictions.decisions, len(predictions.classes))
    correct, images = float(np.trace(counts)), float(counts.sum())
    shares: dict[str, tuple[float, ...]] = {"accuracy": (correct, images, float(statistics.cases))}
    shares["image_recognition_rate"] = shares["accuracy"]
    if len(counts) == 2:
        of_class = class_proportions(counts, statistics)
        shares |= {name: tuple(float(part[1]) for part in parts) for name, parts in of_class.items()}
    if statistics.slides is not None:
        # One row per case is one per slide too, and the mean over slides of one row each is the accuracy.
        rate = values[METRICS.index("patient_recognition_rate")]
        one_row = has_one_row_per_case(predictions)
        trials = images if one_row else float(statistics.slides.sum())
        shares["patient_recognition_rate"] = (rate * trials, trials, statistics.cases)
    success, trial, cases = np.full(len(METRICS), 0.0), np.full(len(METRICS), 0.0), np.full(len(METRICS), 0.0)
    for name, share in shares.items():
        place = METRICS.index(name)
        success[place], trial[place], cases[place] = share
    # Counts of rows are whole; a rate may miss one by a rounding error.
    shares_of_rows = np.clip(success, 0, trial), trial
    bounds = _add_still_classes(bounds, values, counts, statistics, confidence)
    return _bound_auc(
        bound_proportions(predictions, bounds, shares_of_rows, cases, confidence), values, statistics, confidence
    )


def class_proportions(
    counts: npt.NDArray[np.integer[Any]], statistics: CaseStatistics
) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]]:
    """Return the metrics of each class that are simple proportions, as (successes, trials, cases), each (classes,).

    Args:
        counts: Confusion counts (classes, classes), rows true, columns predicted.
        statistics: The same by case.
    """
    hits, true, predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    rest = counts.sum() - true
    return {
        # Without an image of the class, or a prediction of it, precision is no proportion; see `per_class_metrics`.
        "precision": (hits, np.where(true > 0, predicted, 0), (statistics.counts.predicted > 0).sum(axis=0)),
        "recall": (hits, true, statistics.holds.sum(axis=0)),
        "specificity": (rest - (predicted - hits), rest, statistics.other_cases),
    }


def bound_classes(bounds: Bounds, predictions: Predictions, statistics: CaseStatistics, confidence: float) -> Bounds:
    """Return the bounds of `PER_CLASS` of each class, (classes x metrics,), completed as in `bound_metrics`."""
    counts = count_confusion(predictions.labels, predictions.decisions, len(predictions.classes))
    table = np.zeros((3, len(counts), len(PER_CLASS)))
    for name, parts in class_proportions(counts, statistics).items():
        table[:, :, PER_CLASS.index(name)] = parts
    successes, trials, cases = table.reshape(3, -1)
    return bound_proportions(predictions, bounds, (successes, trials), cases, confidence)


def _bound_auc(bounds: Bounds, values: Floats, statistics: CaseStatistics, confidence: float) -> Bounds:
    """Bound an AUC that is the same in every resample, or rests on fewer than five cases of a class, by Newcombe 2006.

    Of several classes by the mean of the bounds of each.
    """
    place = METRICS.index("roc_auc")
    few = fewest_cases(statistics.holds) < FEW_CASES
    if bounds.reason[place] != NO_VARIATION and not (few and bounds.reason[place] == ""):
        return bounds
    held = np.asarray(statistics.holds.any(axis=0))
    cases, others = statistics.holds.sum(axis=0)[held], statistics.other_cases[held]
    chosen = slice(1, 2) if len(held) == 2 else slice(None)
    low, high = auc_interval(values[place], cases[chosen], others[chosen], confidence)
    here = np.arange(len(METRICS)) == place
    ends = np.full(len(METRICS), low.mean()), np.full(len(METRICS), high.mean())
    return bounds.replace(here, *ends) if bounds.reason[place] == NO_VARIATION else bounds.widen(here, *ends)


def _add_still_classes(
    bounds: Bounds,
    values: Floats,
    counts: npt.NDArray[np.integer[Any]],
    statistics: CaseStatistics,
    confidence: float,
) -> Bounds:
    """Widen means of the recall over classes by the classes whose recall is the same in every resample."""
    hits, images = statistics.counts.hits, statistics.counts.true
    true = counts.sum(axis=1)
    recall = np.divide(np.diagonal(counts), true, out=np.zeros(len(true)), where=true > 0)
    still = (true > 0) & (np.abs(hits - recall * images) < ROUNDING).all(axis=0)
    if not still.any():
        return bounds
    low, high = interval_at_cases(np.diagonal(counts), true, statistics.holds.sum(axis=0), confidence)
    means = {"balanced_accuracy": (true > 0) / (true > 0).sum()}
    if len(true) > 2:
        means["recall"] = means["balanced_accuracy"]
    weights = {**means, "accuracy": true / true.sum(), "image_recognition_rate": true / true.sum()}
    for name, weight in weights.items():
        place = METRICS.index(name)
        drawn = bounds.reason[place] == ""
        # Proportions of all rows that do not vary have Wilson's interval of all cases.
        if not drawn and not (name in means and bounds.reason[place] == NO_VARIATION):
            continue
        value = values[place]
        least, most = (bounds.low[place], bounds.high[place]) if drawn else (value, value)
        below = np.sqrt((value - least) ** 2 + (((recall - low) * weight)[still] ** 2).sum())
        above = np.sqrt((most - value) ** 2 + (((high - recall) * weight)[still] ** 2).sum())
        here = np.arange(len(METRICS)) == place
        bounds = bounds.replace(
            here, np.full(len(METRICS), max(value - below, 0.0)), np.full(len(METRICS), min(value + above, 1.0))
        )
    return bounds
