"""Paired scores: predictions of the same images compared with a reference.

Both are scored on the same resamples, so that the difficulty of a case, which they share, cancels out of the change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.metric_bounds import bound_metrics
from breastcls.intervals.metric_support import count_support
from breastcls.intervals.minimum_cases import FEW_CASES, VALUE_WITHOUT_INTERVAL, Bounds
from breastcls.intervals.score_values import interval_text
from breastcls.metrics.classification_metrics import METRICS, compute_metrics
from breastcls.metrics.number_format import NOT_DEFINED, NOT_ESTIMABLE
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]
RANKED = frozenset(("roc_auc", "average_precision"))


def check_metrics(metrics: Sequence[str]) -> tuple[str, ...]:
    """Return names of metrics as a tuple.

    Raises:
        EvaluationError: If there are none, or one is not known.
    """
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        raise EvaluationError(f"`metrics` holds {unknown or 'nothing'}; expected some of {', '.join(METRICS)}.")
    return names


def score_against(
    reference: Predictions, others: Sequence[Predictions], metrics: Sequence[str], bootstrap: Bootstrap
) -> list[pd.DataFrame]:
    """Score predictions and their change from a reference, with confidence intervals over cases.

    Args:
        reference: The predictions compared with.
        others: Predictions of the same images in the same order.
        metrics: Some of `METRICS`.
        bootstrap: How confidence intervals are computed.

    Returns:
        One table for each of `others`: index metric, columns `value`, `low`, `high`, `reason`, and `change` (from the
        reference), `change_low`, `change_high`, `change_reason`. A reason is why there are no bounds, else "". With
        fewer than five cases of a class, the interval of a change is no narrower than those of both values allow, and
        there is none where a value has none.

    Raises:
        EvaluationError: If a true class is not known, or the images differ.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.9, 0.2, 0.6, 0.7], labels=[1, 0, 0, 1], cases=list("abcd"), classes=("no", "yes"))
        >>> worse = Predictions.from_arrays(
        ...     probabilities=[0.1, 0.2, 0.6, 0.7], labels=[1, 0, 0, 1], cases=list("abcd"), classes=("no", "yes"))
        >>> score_against(some, [worse], ["accuracy"], Bootstrap(50))[0].loc["accuracy", ["value", "change"]].tolist()
        [0.5, -0.25]
    """
    for other in others:
        if len(other) != len(reference) or not np.array_equal(other.labels, reference.labels):
            raise EvaluationError("Predictions of other images, or in another order, cannot be compared with these.")
    ranked = bool(RANKED & set(metrics))
    first = CaseStatistics.of(reference, rank=ranked)
    statistics = [CaseStatistics.of(other, rank=ranked) for other in others]

    def statistic(weights: Floats) -> Floats:
        from_reference = first.compute(weights)
        values = [one.compute(weights) for one in statistics]
        return np.concatenate([part for value in values for part in (value, value - from_reference)], axis=1)

    support = count_support(METRICS, first.holds)
    found = bootstrap.intervals(statistic, first.strata, np.tile(support, 2 * len(others)))
    found = found.reshape(len(others), 2, len(METRICS))
    expected = compute_metrics(reference).to_numpy()
    few = support < FEW_CASES
    if few.any():
        alone = bootstrap.intervals(first.compute, first.strata, support)
        alone = bound_metrics(alone, expected, reference, first, bootstrap.confidence)
    tables = []
    for number, (other, own) in enumerate(zip(others, statistics, strict=True)):
        value = compute_metrics(other).to_numpy()
        bounds, changes = (Bounds(*(part[number, place] for part in found)) for place in (0, 1))
        bounds = bound_metrics(bounds, value, other, own, bootstrap.confidence)
        if few.any():
            changes = bound_few_differences(changes, few, (value, bounds), (expected, alone))
        columns = {
            "value": value,
            **bounds._asdict(),
            "change": value - expected,
            **{f"change_{name}": part for name, part in changes._asdict().items()},
        }
        tables.append(pd.DataFrame(columns, index=pd.Index(METRICS, name="metric")).loc[list(metrics)])
    return tables


def bound_few_differences(
    changes: Bounds, few: npt.NDArray[np.bool_], first: tuple[Floats, Bounds], second: tuple[Floats, Bounds]
) -> Bounds:
    """Return bounds of differences of few cases no narrower than those of both values, and none where a value has none.

    Args:
        changes: Those of the bootstrap of first minus second.
        few: bool (values,), whether a value depends on few cases.
        first: Values and their bounds.
        second: The same of what is subtracted.

    Example:
        >>> known = np.array([0.5]), Bounds(np.array([0.2]), np.array([0.8]), np.array([""], dtype=object))
        >>> unknown = np.array([0.5]), Bounds(*np.full((2, 1), np.nan), np.array(["no-errors"], dtype=object))
        >>> narrow = Bounds(np.array([-0.1]), np.array([0.1]), np.array([""], dtype=object))
        >>> bound_few_differences(narrow, np.array([True]), known, unknown).reason.tolist()
        ['value-without-interval']
    """
    low, high = bound_difference(*first, *second)
    lacking = few & (changes.reason == "") & ~(np.isfinite(low) & np.isfinite(high))
    return changes.widen(few, low, high).drop(lacking, VALUE_WITHOUT_INTERVAL)


def bound_difference(
    value: Floats, bounds: Sequence[Any], other: Floats, other_bounds: Sequence[Any]
) -> tuple[Floats, Floats]:
    """Return the confidence interval of value minus other from the interval of each, by MOVER (DOI 10.1002/sim.3095).

    The two are taken as independent. Resamples of few cases hardly vary where both depend on the same cases, and the
    interval of their difference would be narrower than what is known of either.

    Args:
        value: float64 (values,).
        bounds: The lower and upper bounds of `value`, each float64 (values,).
        other: float64 (values,).
        other_bounds: Those of `other`.

    Example:
        >>> one = np.array([0.5])
        >>> low, high = bound_difference(one, (one - 0.3, one + 0.3), one, (one - 0.4, one + 0.4))
        >>> low.round(2).tolist(), high.round(2).tolist()
        ([-0.5], [0.5])
    """
    change = value - other
    low = change - np.hypot(value - bounds[0], other_bounds[1] - other)
    return low, change + np.hypot(bounds[1] - value, other - other_bounds[0])


def score_text(row: Any, metric: str = "value", low: str = "low", high: str = "high", *, digits: int = 3) -> str:
    """Return a score of a table with its interval as text, such as "0.829 (0.742-0.901)"."""
    return interval_text({"value": row[metric], "low": row[low], "high": row[high]}, digits)


def change_text(change: float, low: float, high: float) -> str:
    """Return a change with its interval as text.

    Example:
        >>> change_text(-0.1, -0.2, 0.05), change_text(0.1, float("nan"), float("nan"))
        ('-0.100 (-0.200 to +0.050)', '+0.100 (CI not estimable)')
    """
    if np.isnan(change):
        return NOT_DEFINED
    return f"{change:+.3f} (CI {NOT_ESTIMABLE})" if np.isnan(low) else f"{change:+.3f} ({low:+.3f} to {high:+.3f})"
