"""Confidence intervals of metrics where the resamples of a bootstrap show too little.

Where each case has one row, simple proportions have Wilson's interval; where a case has several and few cases vary, it
is no narrower than Wilson's at the number of cases (`proportion_bounds`). F1 follows from a proportion, the Jaccard
index. To means of the recall over classes, Wilson's intervals of the classes with few varying cases are added by MOVER
(method of variance estimates recovery, Zou & Donner 2008, DOI 10.1002/sim.3095). An AUC that few cases support has the
interval of Newcombe 2006. Other metrics that do not vary have no interval, and without a misclassified row the Brier
score and the log loss have none either: the resamples vary only as much as the correct predictions do. MCC, average
precision, Brier score and log loss, which only a bootstrap bounds, have none below five cases of a class.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from breastcls.intervals.auc_interval import auc_interval
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.metric_support import count_support
from breastcls.intervals.minimum_cases import FEW_CASES, NO_ERRORS, NO_VARIATION, Bounds
from breastcls.intervals.proportion_bounds import Proportions, bound_few, bound_proportions, interval_at_cases
from breastcls.metrics.classification_metrics import LOSSES, METRICS, PER_CLASS
from breastcls.metrics.division import divide
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]
# Metrics for which no interval at the number of cases is known.
BOOTSTRAP_ONLY = ("mcc", "average_precision", *LOSSES)


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
    none = np.zeros((1, len(METRICS)))
    shares = Proportions.from_cases(none, none)
    for name, found in _metric_proportions(predictions, statistics).items():
        for column, value in zip(shares, found, strict=True):
            column[METRICS.index(name)] = value
    bounds = _add_few_classes(bounds, values, statistics, confidence)
    if len(predictions.classes) == 2:
        place = METRICS.index("f1")
        of_positive = class_proportions(statistics)["f1"].take(1)
        drawn = Bounds(*(part[place] for part in bounds))
        bounds = bounds.replace(np.arange(len(METRICS)) == place, *_bound_f1(drawn, of_positive, confidence)[:2])
    bounds = _bound_auc(bound_proportions(predictions, bounds, shares, confidence), values, statistics, confidence)
    bounds = drop_without_errors(bounds, np.isin(METRICS, LOSSES), predictions)
    return bounds.drop_few(count_support(METRICS, statistics.holds), np.isin(METRICS, BOOTSTRAP_ONLY))


def drop_without_errors(bounds: Bounds, losses: npt.NDArray[np.bool_], predictions: Predictions) -> Bounds:
    """Return the bounds without those of losses where no row is misclassified.

    A loss of n correct predictions varies little, whereas one error in a further case would change it by far more, and
    with no error in n cases the error rate may be up to about 3/n.
    """
    if (predictions.decisions != predictions.labels).any():
        return bounds
    return bounds.drop(losses & (bounds.reason == ""), NO_ERRORS)


def _metric_proportions(predictions: Predictions, statistics: CaseStatistics) -> dict[str, Proportions]:
    """Return those of `METRICS` that are proportions of rows, each of one value."""
    counts = statistics.counts
    accuracy = Proportions.from_cases(counts.hits.sum(axis=1), counts.true.sum(axis=1))
    found = {"accuracy": accuracy, "image_recognition_rate": accuracy}
    if len(predictions.classes) == 2:
        of_class = class_proportions(statistics)
        found |= {name: of_class[name].take(1) for name in ("precision", "recall", "specificity")}
    if statistics.slides is not None and statistics.slide_scores is not None:
        # One row per case is one per slide too, and the mean over slides of one row each is the accuracy.
        found["patient_recognition_rate"] = Proportions.from_cases(statistics.slide_scores, statistics.slides)
    return found


def class_proportions(statistics: CaseStatistics) -> dict[str, Proportions]:
    """Return `PER_CLASS` of each class as proportions of rows, each (classes,); of F1 those of the Jaccard index."""
    hits, true, predicted = statistics.counts
    rest = true.sum(axis=1, keepdims=True) - true
    # Without an image of the class, or of another, precision and F1 are not defined; see `per_class_metrics`.
    held = (true.sum(axis=0) > 0) & (rest.sum(axis=0) > 0)
    return {
        "precision": Proportions.from_cases(hits, predicted).mask(held),
        "recall": Proportions.from_cases(hits, true),
        "specificity": Proportions.from_cases(rest - (predicted - hits), rest),
        "f1": Proportions.from_cases(hits, true + predicted - hits).mask(held),
    }


def bound_classes(bounds: Bounds, predictions: Predictions, statistics: CaseStatistics, confidence: float) -> Bounds:
    """Return the bounds of `PER_CLASS` of each class, (classes x metrics,), completed as in `bound_metrics`."""
    found = class_proportions(statistics)
    columns = []
    for place, name in enumerate(PER_CLASS):
        column = Bounds(*(part[place :: len(PER_CLASS)] for part in bounds))
        columns.append(
            _bound_f1(column, found[name], confidence)
            if name == "f1"
            else bound_proportions(predictions, column, found[name], confidence)
        )
    return Bounds(*(np.stack(parts, axis=1).reshape(-1) for parts in zip(*columns, strict=True)))


def _bound_f1(bounds: Bounds, jaccard: Proportions, confidence: float) -> Bounds:
    """Return the bounds of F1 of each class, no narrower than its cases allow.

    F1 is 2 J / (1 + J), where J (the Jaccard index) is the proportion of true positives among the rows that are of the
    class or predicted as it.
    """
    of_jaccard = bounds._replace(low=bounds.low / (2 - bounds.low), high=bounds.high / (2 - bounds.high))
    found = bound_few(of_jaccard, jaccard, confidence)
    return found._replace(low=_f1_of(found.low), high=_f1_of(found.high))


def _f1_of(jaccard: Floats) -> Floats:
    return 2 * jaccard / (1 + jaccard)


def _bound_auc(bounds: Bounds, values: Floats, statistics: CaseStatistics, confidence: float) -> Bounds:
    """Bound an AUC that few cases of a class support by Newcombe 2006, at the number of cases.

    These are fewer than five cases, or wrong ranks that mostly come of fewer than five: by Kish's effective number,
    (sum of w)^2 / sum of w^2, where w is the number of wrongly ranked pairs of a case. Of several classes the distances
    to the ends are added for those classes, in the mean over all.
    """
    place = METRICS.index("roc_auc")
    if bounds.reason[place] not in ("", NO_VARIATION):
        return bounds
    held = np.flatnonzero(statistics.holds.any(axis=0))
    classes = [1] if statistics.holds.shape[1] == 2 else held.tolist()
    ranked = statistics.rankings if len(classes) == 1 else [statistics.rankings[index] for index in classes]
    rankings = dict(zip(classes, ranked, strict=True))
    once = np.ones((1, statistics.cases))
    value, below, above = values[place], 0.0, 0.0
    for index, ranking in rankings.items():
        cases, others = statistics.holds[:, index].sum(), statistics.other_cases[index]
        if min(cases, others, *map(effective_number, ranking.misrankings())) < FEW_CASES:
            auc = ranking.score(once)[0][0]
            low, high = auc_interval(auc, cases, others, confidence)
            below, above = below + (auc - low) / len(rankings), above + (high - auc) / len(rankings)
    if below == above == 0:
        return bounds
    if bounds.reason[place] == "" and len(rankings) > 1:
        below, above = np.hypot(below, value - bounds.low[place]), np.hypot(above, bounds.high[place] - value)
    here = np.arange(len(METRICS)) == place
    ends = np.full(len(METRICS), max(value - below, 0.0)), np.full(len(METRICS), min(value + above, 1.0))
    return bounds.replace(here, *ends) if bounds.reason[place] == NO_VARIATION else bounds.widen(here, *ends)


def effective_number(weights: Floats) -> float:
    """Return the number of equal weights whose mean varies as much as that of these (Kish 1965); 0 if all are 0.

    Example:
        >>> effective_number(np.array([1.0, 1.0, 0.0])), round(effective_number(np.array([9.0, 1.0, 1.0])), 2)
        (2.0, 1.46)
    """
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def _add_few_classes(bounds: Bounds, values: Floats, statistics: CaseStatistics, confidence: float) -> Bounds:
    """Widen means over classes, and over strata, by those in which few cases vary."""
    true = statistics.counts.true.sum(axis=0)
    mean, share = (true > 0) / (true > 0).sum(), true / true.sum()
    parts = {"balanced_accuracy": ("recall", mean)}
    if len(true) > 2:
        parts |= {name: (name, mean) for name in PER_CLASS}
    parts |= {"accuracy": ("recall", share), "image_recognition_rate": ("recall", share)}
    lacking = {name: _lacking_of_classes(name, statistics, confidence) for name in {name for name, _ in parts.values()}}
    if statistics.slides is not None and statistics.slide_scores is not None:
        # A slide may hold several classes, so that its part is the stratum of its case.
        in_stratum = statistics.strata[:, None] == np.unique(statistics.strata)
        right, slides = (column[:, None] * in_stratum for column in (statistics.slide_scores, statistics.slides))
        parts["patient_recognition_rate"] = ("slides", slides.sum(axis=0) / slides.sum())
        lacking["slides"] = _lacking(right, slides, Proportions.from_cases(right, slides), confidence)
    for metric, (name, weight) in parts.items():
        place = METRICS.index(metric)
        has_bounds = bounds.reason[place] == ""
        # Proportions of all rows that do not vary have Wilson's interval of all cases.
        if not has_bounds and not (weight is mean and bounds.reason[place] == NO_VARIATION):
            continue
        value = values[place]
        least, most = (bounds.low[place], bounds.high[place]) if has_bounds else (value, value)
        added = [(part * weight**2).sum() for part in lacking[name]]
        if not any(added):
            continue
        below, above = (
            np.sqrt(distance**2 + square) for distance, square in zip((value - least, most - value), added, strict=True)
        )
        here = np.arange(len(METRICS)) == place
        bounds = bounds.replace(
            here, np.full(len(METRICS), max(value - below, 0.0)), np.full(len(METRICS), min(value + above, 1.0))
        )
    return bounds


def _lacking_of_classes(name: str, statistics: CaseStatistics, confidence: float) -> list[Floats]:
    """Return `_lacking` of a metric of each class."""
    hits, true, predicted = statistics.counts
    proportions = class_proportions(statistics)[name]
    rest = true.sum(axis=1, keepdims=True) - true
    above, below = {
        "precision": (hits, predicted),
        "recall": (hits, true),
        "specificity": (rest - (predicted - hits), rest),
        "f1": (2 * hits, true + predicted),
    }[name]
    return _lacking(above, below, proportions, confidence, of_jaccard=name == "f1")


def _lacking(
    above: Floats, below: Floats, proportions: Proportions, confidence: float, *, of_jaccard: bool = False
) -> list[Floats]:
    """Return what the bootstrap lacks of the squared distance of ratios to both ends, (values,) each.

    That is the part by which Wilson's interval at the number of cases is wider, where few cases vary; else 0.

    Args:
        above: (cases, values), whose sum over cases is divided.
        below: (cases, values), whose sum divides.
        proportions: The proportions that have Wilson's interval.
        confidence: Nominal coverage, in 0..1.
        of_jaccard: Whether the ratios are F1, and the proportions Jaccard indices.
    """
    total = below.sum(axis=0)
    value = divide(above.sum(axis=0), total, 0.0)
    ends = interval_at_cases(proportions.successes, proportions.trials, proportions.cases, confidence)
    if of_jaccard:
        ends = _f1_of(ends[0]), _f1_of(ends[1])
    freedom = np.maximum(proportions.cases - 1, 1)
    residuals = ((above - value * below) ** 2).sum(axis=0)
    spread = np.sqrt(divide(residuals, total**2, 0.0) * (1 + 1 / freedom))
    drawn = np.where(spread > 0, spread * -stdtrit(freedom, (1 - confidence) / 2), 0.0)
    few = (proportions.varying < FEW_CASES) & (proportions.trials > 0)
    return [np.where(few, np.maximum((end - value) ** 2 - drawn**2, 0.0), 0.0) for end in ends]
