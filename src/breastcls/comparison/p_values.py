"""P-values of differences: by inverting the confidence interval over cases, McNemar's test, and Holm's correction.

A p-value is one minus the confidence of the widest interval that excludes 0 (Efron & Tibshirani 1993, chapter 15, DOI
10.1201/9780429246593), so that p is below 0.05 where the 95% interval excludes 0. Holm's method (Holm 1979,
jstor.org/stable/4615733) corrects for multiple comparisons. McNemar's test (1947, DOI 10.1007/BF02295996) is exact.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtr
from scipy.stats import binomtest

from breastcls.intervals.bootstrap import Bootstrap, Statistic, acceleration, can_vary, median_bias, widening
from breastcls.intervals.minimum_cases import MIN_CASES, NO_VARIATION, ROUNDING, Bounds, check_bounds

# Standard deviations beyond which the tail of the normal distribution is 0 in float64, so that p would be 0.
FARTHEST = -37.0

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Differences(NamedTuple):
    """Confidence intervals and p-values of differences.

    Attributes:
        bounds: Confidence intervals at the confidence of the bootstrap.
        p: Two-sided p-values of no difference, float64 (values,).
        low_adjusted: Lower bounds at the levels of Holm's method, float64 (values,).
        high_adjusted: Upper bounds of the same.
    """

    bounds: Bounds
    p: Floats
    low_adjusted: Floats
    high_adjusted: Floats


def intervals_and_p(
    bootstrap: Bootstrap,
    statistic: Statistic,
    strata: Integers,
    support: Integers,
    *,
    families: Integers | None = None,
) -> Differences:
    """Return confidence intervals and p-values of no difference.

    All use the same resamples: p is below one minus the confidence exactly where the interval excludes 0. Where almost
    no resample reaches 0, there are no percentiles beyond it: p is then that of the difference divided by its standard
    deviation, which is Student's t for a mean, but not below `smallest_p`. With two or three cases of a class no
    resample is far enough out for the interval to be as wide as it should be, and p may be large although the interval
    excludes 0: p is then the more reliable of the two.

    Args:
        bootstrap: How resamples and confidence intervals are computed.
        statistic: From weights (resamples, cases) to differences (resamples, values).
        strata: int64 (cases,), the stratum of each case.
        support: int64 (values,), the fewest cases of a class that each value depends on.
        families: int64 (values,), the family of each difference, within which the adjusted intervals are corrected
            for multiple comparisons; see `holm_levels`. None: each difference is a family of its own.

    Returns:
        Bounds and p-values. Both are NaN where the interval is not estimable, but where no resample has a difference p
        is 1.
    """
    point = statistic(np.ones((1, len(strata))))[0]
    if not can_vary(strata) or (support < MIN_CASES).all():
        none = np.full(len(point), np.nan)
        return Differences(bootstrap.intervals(statistic, strata, support), none, none.copy(), none.copy())
    values = bootstrap.distribution(statistic, strata)
    bounds = check_bounds(*bootstrap.bounds(values, statistic, strata), point, support)
    below, above = (np.array(part) for part in zip(*map(_ranks_of_zero, values.T, point), strict=True))
    if bootstrap.method == "expanded":
        wider, freedom = widening(statistic, strata)
        below, above = (stdtr(freedom, ndtri(rank) / wider) for rank in (below, above))
    elif bootstrap.method == "bca":
        bias, skew = median_bias(values, point), acceleration(statistic, strata)
        below, above = _undo_bca(ndtri(below), bias, skew), _undo_bca(ndtri(above), -bias, -skew)
    p = np.clip(2 * np.minimum(below, above), smallest_p(len(strata)), 1.0)
    same = (bounds.reason == NO_VARIATION) & (np.abs(point) < ROUNDING)
    p = np.where(bounds.reason == "", np.where(point == 0, 1.0, p), np.where(same, 1.0, np.nan))
    low, high = bounds.low.copy(), bounds.high.copy()
    if families is not None:
        levels = np.full(len(p), 1 - bootstrap.confidence)
        for family in np.unique(families):
            levels[families == family] = holm_levels(p[families == family], 1 - bootstrap.confidence)
        for level in np.unique(levels[levels < 1 - bootstrap.confidence]):
            chosen = np.flatnonzero((levels == level) & np.isfinite(low))
            at_level = dataclasses.replace(bootstrap, confidence=1 - float(level))
            low[chosen], high[chosen] = at_level.bounds(values[:, chosen], _columns(statistic, chosen), strata)
    return Differences(bounds, p, low, high)


def smallest_p(cases: int) -> float:
    """Return the smallest two-sided p-value that so many cases support, whatever is assumed of a distribution.

    A permutation test exchanges the two models in each case: it has 2^n results, of which two are the most extreme.

    Example:
        >>> smallest_p(10), smallest_p(25) < 1e-7
        (0.001953125, True)
    """
    return min(2.0 ** (1 - min(cases, 1000)), 1.0)


def holm_levels(p_values: Any, level: float) -> Floats:
    """Return the level at which Holm's method tests each of several p-values.

    The smallest of m is tested at level / m, the next at level / (m - 1), and so on up to the first that is not below;
    the rest keep the level of that one. A confidence interval of the confidence 1 minus this level excludes 0 exactly
    where the corrected p-value of `holm` is below `level`.

    Args:
        p_values: The p-values of one family; NaN is not counted.
        level: Of the whole family, such as 0.05.

    Example:
        >>> holm_levels([0.01, 0.2, 0.04], 0.05).round(4).tolist()
        [0.0167, 0.025, 0.025]
    """
    given = np.asarray(p_values, dtype=np.float64)
    levels = np.full(len(given), level)
    defined = np.flatnonzero(np.isfinite(given))
    left = len(defined)
    for place in defined[np.argsort(given[defined], kind="stable")]:
        levels[place] = level / left
        if given[place] < levels[place]:
            left = max(left - 1, 1)
    return levels


def _columns(statistic: Statistic, chosen: Integers) -> Statistic:
    return lambda weights: statistic(weights)[:, chosen]


def holm(p_values: Any) -> Floats:
    """Return p-values corrected for multiple comparisons by Holm's method; NaN stays NaN and is not counted.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
        [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, dtype=np.float64)
    defined = np.flatnonzero(np.isfinite(given))
    order = defined[np.argsort(given[defined], kind="stable")]
    corrected = given.copy()
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1.0)
    return corrected


def mcnemar(first_correct: npt.NDArray[np.bool_], second_correct: npt.NDArray[np.bool_]) -> float:
    """Return the exact two-sided p-value of McNemar's test, 1.0 where the models never differ."""
    only_first = int((first_correct & ~second_correct).sum())
    only_second = int((~first_correct & second_correct).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def _ranks_of_zero(values: Floats, point: float) -> tuple[float, float]:
    """Return the share of the resamples at which a quantile passes 0, from below and from above.

    Quantiles between two resamples are interpolated as `numpy.quantile` does.
    """
    ordered = np.sort(values[np.isfinite(values)])
    count = len(ordered)
    if count == 0:
        return np.nan, np.nan
    last, first = int(np.searchsorted(ordered, 0.0, "right")) - 1, int(np.searchsorted(ordered, 0.0, "left"))
    below, above = (last + 1) / count, (count - first) / count
    if 0 <= last < count - 1:
        below = (last - ordered[last] / (ordered[last + 1] - ordered[last])) / (count - 1)
    if 0 < first < count:
        above = (count - 1 - first + ordered[first] / (ordered[first] - ordered[first - 1])) / (count - 1)
    if min(below, above) >= 1 / (count + 1):
        return below, above
    # There is no percentile beyond this one: further out only the spread is used, unless it is a rounding error.
    spread, far = float(ordered.std()), 1 / (count + 1)
    if spread > ROUNDING * abs(point):
        far = min(far, float(ndtr(max(-abs(point) / spread, FARTHEST))))
    return (far, above) if below < above else (below, far)


def _undo_bca(z: Floats, bias: Floats, skew: Floats) -> Floats:
    """Return the lower tail whose BCa bound is the quantile z; for the upper tail the signs of all three change."""
    moved = z - bias
    # Beyond its pole the correction is not defined.
    stretch = 1 + skew * np.where(np.isfinite(moved), moved, 0.0)
    near = np.isfinite(moved) & (stretch > 0)
    return np.asarray(ndtr(np.divide(moved, stretch, out=moved.copy(), where=near) - bias))
