"""Net benefit, decision curves, and predictive values at a stated prevalence.

Net benefit: Vickers & Elkin 2006, DOI 10.1177/0272989X06295361. At a threshold probability t a false negative
weighs as much as (1 - t) / t false positives; net benefit is the number of true positives minus that of false positives
with this weight, per image. A model is useful at t where it is above both reference strategies: all images positive,
and no image positive (0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_codes, case_strata, classes_held
from breastcls.intervals.few_case_support import warn_few_cases
from breastcls.intervals.minimum_cases import FEW_CASES, NO_VARIATION, Bounds
from breastcls.intervals.printed_table import PrintedTable
from breastcls.intervals.proportion_bounds import Proportions, interval_at_cases
from breastcls.intervals.proportions import has_one_row_per_case, ratio_interval
from breastcls.intervals.score_tables import wide_score
from breastcls.intervals.weighted_counts import WeightedCounts
from breastcls.metrics.classification_metrics import require_labels
from breastcls.metrics.division import divide
from breastcls.models.probability_rule import DEFAULT_THRESHOLD
from breastcls.predictions.array_arguments import check_share
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]
PREVALENCES = (0.01, 0.1, 0.5)
THRESHOLDS = tuple(np.linspace(0.01, 0.99, 99).round(2).tolist())


def decision_curve(
    predictions: Predictions,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    prevalence: float | None = None,
    bootstrap: Bootstrap | None = None,
) -> pd.DataFrame:
    """Return net benefit over threshold probabilities, with a confidence band over cases.

    Args:
        predictions: Of two classes, with known classes and calibrated probabilities: a threshold is a probability.
        thresholds: Threshold probabilities within 0..1.
        prevalence: Fraction of positives where the model will be used, in 0..1; default: that of the predictions, which
            in a research collection usually differs from that of a clinic.
        bootstrap: How the confidence band is computed; default: 2000 resamples, 95%, expanded percentile.

    Returns:
        One row per threshold, columns `model`, `low`, `high`, `all`, `none`.

    Raises:
        EvaluationError: If there are not two classes, both present, a threshold is not between 0 and 1, or the
            prevalence is not in 0..1.

    Warns:
        EvaluationWarning: If a class has fewer than five cases.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.9, 0.6, 0.4, 0.1], labels=[1, 0, 1, 0], classes=("no", "yes"))
        >>> decision_curve(some, thresholds=[0.5]).round(3)[["model", "all", "none"]].to_numpy().tolist()
        [[0.0, 0.0, 0.0]]
    """
    at = np.asarray(thresholds, dtype=np.float64)
    if at.ndim != 1 or at.size == 0 or (at <= 0).any() or (at >= 1).any():
        raise EvaluationError(f"`thresholds` must lie between 0 and 1; found {at.tolist()[:5]}.")
    check_share(prevalence, "prevalence")
    rates = _Rates(predictions, at)
    odds = at / (1 - at)

    def measure(weights: Floats) -> Floats:
        sensitivity, specificity, share = rates.measure(weights)
        share = share if prevalence is None else np.full_like(share, prevalence)
        return sensitivity * share[:, None] - (1 - specificity) * (1 - share[:, None]) * odds

    bootstrap = bootstrap or Bootstrap()
    share = float(predictions.labels.mean()) if prevalence is None else prevalence
    bounds = bootstrap.intervals(measure, rates.strata, rates.cases.min())
    value = measure(np.ones((1, len(rates.strata))))[0]
    bounds = _bound_net_benefit(bounds, value, rates, (share, (1 - share) * odds), bootstrap.confidence)
    table = PrintedTable(
        {
            "model": value,
            **bounds._asdict(),
            "all": share - (1 - share) * odds,
            "none": 0.0,
        },
        index=pd.Index(at, name="threshold"),
    )
    table.attrs["limitations"] = warn_few_cases(predictions, "The net benefit")
    return table


def operating_table(
    predictions: Predictions,
    *,
    thresholds: Sequence[float] | None = None,
    prevalences: Sequence[float] = PREVALENCES,
    bootstrap: Bootstrap | None = None,
) -> pd.DataFrame:
    """Return sensitivity, specificity, and predictive values at stated prevalences, with confidence intervals.

    The prevalence in a research collection differs from that of a clinic; PPV and NPV depend on it, and are computed
    from sensitivity and specificity by Bayes' theorem. Where each case gives one decision, sensitivity and specificity
    are proportions with Wilson's intervals; those of PPV and NPV are computed from them (Donner &
    Zou 2012, DOI 10.1177/0962280210383082).

    Args:
        predictions: Of two classes, with known classes.
        thresholds: Decision thresholds; default: the predictions' own threshold, else 0.5.
        prevalences: Fractions of positives, in 0..1.
        bootstrap: How confidence intervals are computed; default: 2000 resamples, 95%, expanded percentile.

    Returns:
        One row per threshold and prevalence (a MultiIndex), columns `sensitivity`, `specificity`, `ppv`, `npv`, each
        also with `_low`, `_high` and `_reason` (why there is no interval, else ""). NaN where nothing is predicted
        positive (PPV) or negative (NPV); no confidence interval below three cases of a class that a metric depends on.

    Raises:
        EvaluationError: If there are not two classes, both present, or a prevalence is not in 0..1.

    Warns:
        EvaluationWarning: If a class has fewer than five cases.
    """
    own = DEFAULT_THRESHOLD if predictions.threshold is None else predictions.threshold
    at = np.asarray([own] if thresholds is None else thresholds, dtype=np.float64)
    shares = np.asarray(prevalences, dtype=np.float64)
    if (shares < 0).any() or (shares > 1).any():
        raise EvaluationError(f"`prevalences` must lie in 0..1; found {shares.tolist()}.")
    rates = _Rates(predictions, at)

    def measure(weights: Floats) -> Floats:
        sensitivity, specificity, _ = rates.measure(weights)
        sensitivity, specificity = sensitivity[:, :, None], specificity[:, :, None]
        values = np.broadcast_arrays(sensitivity, specificity, *predictive_values(sensitivity, specificity, shares))
        return np.stack(values, axis=-1).reshape(len(weights), -1)

    bootstrap = bootstrap or Bootstrap()
    point = measure(np.ones((1, len(rates.strata))))[0].reshape(-1, 4)
    support = np.tile(rates.cases[[1, 0]].tolist() + [rates.cases.min()] * 2, len(at) * len(shares))
    bounds = bootstrap.intervals(measure, rates.strata, support).reshape(-1, 4)
    bounds = _bound_by_wilson(predictions, bounds, point, rates, np.tile(shares, len(at)), bootstrap.confidence)
    columns: dict[str, npt.NDArray[Any]] = {}
    for index, name in enumerate(("sensitivity", "specificity", "ppv", "npv")):
        columns |= wide_score(name, [point[:, index], *(part[:, index] for part in bounds)])
    table = PrintedTable(columns, index=pd.MultiIndex.from_product([at, shares], names=["threshold", "prevalence"]))
    table.attrs["limitations"] = warn_few_cases(predictions, "The table")
    return table


def predictive_values(sensitivity: Floats, specificity: Floats, prevalence: Floats) -> tuple[Floats, Floats]:
    """Return the positive and the negative predictive value, by Bayes' theorem; NaN where nothing is called so.

    Example:
        >>> ppv, npv = predictive_values(np.array([0.9]), np.array([0.9]), np.array([0.1]))
        >>> ppv.round(3).tolist(), npv.round(3).tolist()
        ([0.5], [0.988])
    """
    found, missed = sensitivity * prevalence, (1 - sensitivity) * prevalence
    alarms, right = (1 - specificity) * (1 - prevalence), specificity * (1 - prevalence)
    return divide(found, found + alarms), divide(right, right + missed)


def _bound_net_benefit(
    bounds: Bounds, value: Floats, rates: _Rates, weights: tuple[float, Floats], confidence: float
) -> Bounds:
    """Return bounds of the net benefit no narrower than Wilson's intervals of both rates, where few cases vary.

    The weights are those of the sensitivity and of the false positive rate; the distances add up by MOVER (Zou & Donner
    2008, DOI 10.1002/sim.3095).
    """
    (low_1, high_1, one), (low_2, high_2, two) = (
        (*interval_at_cases(rate.successes, rate.trials, rate.cases, confidence), rate.successes / rate.trials)
        for rate in rates.proportions
    )
    below = np.hypot(weights[0] * (one - low_1), weights[1] * (two - low_2))
    above = np.hypot(weights[0] * (high_1 - one), weights[1] * (high_2 - two))
    ends = value - below, value + above
    few = np.minimum(*(rate.varying for rate in rates.proportions)) < FEW_CASES
    return bounds.replace(bounds.reason == NO_VARIATION, *ends).widen(few, *ends)


def _bound_by_wilson(
    predictions: Predictions, bounds: Bounds, point: Floats, rates: _Rates, prevalence: Floats, confidence: float
) -> Bounds:
    """Return bounds, each (rows, 4), by Wilson's interval where each case has one row or few cases vary."""
    cases = rates.cases
    rows = np.bincount(predictions.labels, minlength=2)
    right = np.rint(point[:, :2] * rows[::-1])  # positives predicted as such, negatives predicted as such
    one_row = has_one_row_per_case(predictions)
    counted = rows if one_row else cases
    low, high = np.full(point.shape, np.nan), np.full(point.shape, np.nan)
    low[:, :2], high[:, :2] = interval_at_cases(
        right, np.broadcast_to(rows[::-1], right.shape), counted[::-1], confidence
    )
    # At a prevalence of 0 or 1 predictive values depend on nothing that was measured.
    inside = (prevalence > 0) & (prevalence < 1)
    odds = np.divide(prevalence, 1 - prevalence, out=np.ones_like(prevalence), where=inside)
    hits, passed = point[:, 0] * counted[1], point[:, 1] * counted[0]
    for place, wrong, called, weight in (
        (2, (counted[0] - passed, counted[0]), (hits, counted[1]), 1 / odds),
        (3, (counted[1] - hits, counted[1]), (passed, counted[0]), odds),
    ):
        least, most = ratio_interval(wrong, called, confidence)
        low[:, place] = np.where(inside, 1 / (1 + most * weight), np.nan)
        high[:, place] = np.where(inside, 1 / (1 + least * weight), np.nan)
    still = bounds.reason == NO_VARIATION
    varying = np.stack([rate.varying for rate in rates.proportions], axis=1)
    few = np.column_stack([varying, varying.min(axis=1), varying.min(axis=1)]) < FEW_CASES
    few = np.repeat(few, len(point) // len(few), axis=0) & (not one_row)
    return bounds.replace(still | (one_row & (bounds.reason == "")), low, high).widen(few, low, high)


class _Rates:
    """Sensitivity and specificity at thresholds, of weighted cases."""

    def __init__(self, predictions: Predictions, thresholds: Floats) -> None:
        require_labels(predictions)
        if len(predictions.classes) != 2 or len(np.unique(predictions.labels)) != 2:
            raise EvaluationError("This needs predictions of two classes, with images of both.")
        codes = case_codes(predictions)
        self.strata = case_strata(predictions.labels, codes, 2)
        self.cases = classes_held(predictions.labels, codes, 2).sum(axis=0)
        positive = predictions.labels == 1
        steps, self._order = np.unique(thresholds.astype(np.float32), return_inverse=True)
        # How many of the ascending thresholds a score reaches.
        reached = np.searchsorted(steps, predictions.positive, side="right")
        # Sensitivity and specificity at the thresholds.
        self.proportions = (
            Proportions.reaching(reached[positive], codes[positive], self._order + 1),
            Proportions.reaching(reached[~positive], codes[~positive], self._order + 1).complement(),
        )
        # The counts of negative rows follow those of positive ones.
        self._levels = len(steps) + 1
        groups = np.where(positive, reached, reached + self._levels)
        self._counts = WeightedCounts(groups, codes, 2 * self._levels, len(self.strata))

    def measure(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Return sensitivity and specificity, (resamples, thresholds), and the share of positives, (resamples,)."""
        counts = self._counts.weigh(weights)
        below_positive = np.cumsum(counts[:, : self._levels], axis=1)
        below_negative = np.cumsum(counts[:, self._levels :], axis=1)
        positives, negatives = below_positive[:, -1:], below_negative[:, -1:]
        with np.errstate(invalid="ignore", divide="ignore"):
            sensitivity = (positives - below_positive[:, self._order]) / positives
            specificity = below_negative[:, self._order] / negatives
        return sensitivity, specificity, (positives / (positives + negatives))[:, 0]
