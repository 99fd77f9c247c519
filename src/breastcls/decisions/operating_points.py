"""Sensitivity, specificity and predictive values at thresholds and at stated prevalences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.decisions.threshold_rates import Floats, ThresholdRates
from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.few_case_support import warn_few_cases
from breastcls.intervals.minimum_cases import FEW_CASES, NO_VARIATION, Bounds
from breastcls.intervals.printed_table import PrintedTable
from breastcls.intervals.proportion_bounds import interval_at_cases
from breastcls.intervals.proportions import has_one_row_per_case, ratio_interval
from breastcls.intervals.score_tables import wide_score
from breastcls.metrics.division import divide
from breastcls.models.probability_rule import DEFAULT_THRESHOLD
from breastcls.predictions.predictions import Predictions

PREVALENCES = (0.01, 0.1, 0.5)


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
    rates = ThresholdRates(predictions, at)

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
    """Return the positive and the negative predictive value, by Bayes' theorem; NaN where no image is predicted so.

    Example:
        >>> ppv, npv = predictive_values(np.array([0.9]), np.array([0.9]), np.array([0.1]))
        >>> ppv.round(3).tolist(), npv.round(3).tolist()
        ([0.5], [0.988])
    """
    found, missed = sensitivity * prevalence, (1 - sensitivity) * prevalence
    alarms, right = (1 - specificity) * (1 - prevalence), specificity * (1 - prevalence)
    return divide(found, found + alarms), divide(right, right + missed)


def _bound_by_wilson(
    predictions: Predictions,
    bounds: Bounds,
    point: Floats,
    rates: ThresholdRates,
    prevalence: Floats,
    confidence: float,
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
