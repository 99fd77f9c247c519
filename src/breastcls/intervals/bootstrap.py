"""Bootstrap confidence intervals over cases, stratified by class.

Images of one case are correlated: a test set of 500 images of 16 cases holds 16 independent observations. So whole
cases are drawn with replacement, as many as there are, within each stratum (`case_strata`), so that every resample
holds every class; where cases hold several classes one may rarely be missing, and such a resample is not used for the
metrics that need the class. A resample is the number of times that each case was drawn; no image is copied.

Percentile interval: Efron 1979, DOI 10.1214/aos/1176344552. BCa: Efron 1987, DOI 10.2307/2289144; the acceleration of
a stratified sample after Davison & Hinkley 1997, chapter 5, DOI 10.1017/CBO9780511802843. Expanded percentile:
Hesterberg 2015, DOI 10.1080/00031305.2015.1089789; over strata with the degrees of freedom of Satterthwaite 1946, DOI
10.2307/3002019.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtrit

from breastcls.argument_checks import check_choice, check_count
from breastcls.errors import EvaluationError
from breastcls.intervals.minimum_cases import (
    MIN_CASES,
    TOO_FEW_CASES,
    VALUE_NOT_DEFINED,
    Bounds,
    check_bounds,
    no_bounds,
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
IntervalMethod = Literal["percentile", "bca", "expanded"]
Statistic = Callable[[Floats], Floats]

# Elements of one block of weights; it also fixes the order of the random draws: changing it changes every interval.
BLOCK = 4_000_000
# With more cases, resamples are counted one by one.
MOST_CASES_AT_ONCE = 10_000
# Leaving out each case in turn costs as many evaluations as there are cases.
MOST_CASES_TO_LEAVE_OUT = 5_000


@dataclass(frozen=True)
class Bootstrap:
    """How confidence intervals are computed: whole cases are resampled with replacement.

    Attributes:
        resamples: Number of resamples.
        confidence: Nominal coverage, in 0..1.
        method: "percentile"; "bca" (bias-corrected and accelerated); or "expanded": percentiles further out, which
            corrects a bootstrap of few cases for being too narrow. Its coverage is nearest to the nominal one; see
            `benchmarks/interval_coverage.py`.
        seed: The same seed gives the same intervals, bit for bit on one machine; a whole number, 0 or more.

    Raises:
        EvaluationError: If one of them has another type or is out of range.

    Example:
        >>> cases = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
        >>> found = Bootstrap(resamples=500).intervals(
        ...     lambda weights: (weights @ cases / weights.sum(axis=1))[:, None], strata=np.zeros(5, dtype=np.int64))
        >>> bool(found.low[0] < 3.0 < found.high[0])
        True
    """

    resamples: int = 2000
    confidence: float = 0.95
    method: IntervalMethod = "expanded"
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("method", self.method, get_args(IntervalMethod), error=EvaluationError)
        number = isinstance(self.confidence, int | float | np.number) and not isinstance(self.confidence, bool)
        if not (number and 0 < self.confidence < 1):
            raise EvaluationError(f"confidence is {self.confidence!r}; expected a number in 0..1, such as 0.95.")
        check_count("resamples", self.resamples, error=EvaluationError)
        # None would give other intervals each time.
        check_count("seed", self.seed, 0, error=EvaluationError)
        # NumPy numbers are accepted, but JSON cannot hold them.
        for name, kind in (("confidence", float), ("resamples", int), ("seed", int)):
            object.__setattr__(self, name, kind(getattr(self, name)))

    def distribution(self, statistic: Statistic, strata: Integers) -> Floats:
        """Return the statistic of every resample, float64 (resamples, values).

        Args:
            statistic: From weights (resamples, cases) to values (resamples, values).
            strata: int64 (cases,), the stratum of each case.
        """
        return np.concatenate([statistic(block) for block in self.weights(strata)])

    def weights(self, strata: Integers) -> Iterator[Floats]:
        """Yield how often each case is drawn, in blocks of float64 (some resamples, cases)."""
        generator = np.random.default_rng(self.seed)
        members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
        ends = np.cumsum([len(stratum) for stratum in members])
        # Where each case is among those of the first stratum, of the second, and so on.
        place = np.empty(len(strata), dtype=np.int64)
        place[np.concatenate(members)] = np.arange(len(strata))
        step = max(1, BLOCK // len(strata))
        for start in range(0, self.resamples, step):
            ordered = np.empty((min(step, self.resamples - start), len(strata)))
            for end, stratum in zip(ends, members, strict=True):
                _count_draws(generator, ordered[:, end - len(stratum) : end])
            yield ordered if len(members) == 1 else ordered.take(place, axis=1)

    def intervals(self, statistic: Statistic, strata: Integers, support: Any = None) -> Bounds:
        """Return the confidence interval of each value, or the reason why it is not estimable.

        Args:
            statistic: From weights (resamples, cases) to values (resamples, values).
            strata: int64 (cases,), the stratum of each case.
            support: int64 (values,) or one number: the fewest cases of a class that each value depends on. Default: the
                size of the smallest stratum.
        """
        point = statistic(np.ones((1, len(strata))))[0]
        fewest = np.broadcast_to(np.bincount(strata).min() if support is None else support, point.shape)
        if (fewest < MIN_CASES).all() or not can_vary(strata):
            return no_bounds(TOO_FEW_CASES, len(point)).drop(np.isnan(point), VALUE_NOT_DEFINED)
        low, high = self.bounds(self.distribution(statistic, strata), statistic, strata)
        return check_bounds(low, high, point, fewest)

    def bounds(self, values: Floats, statistic: Statistic, strata: Integers) -> tuple[Floats, Floats]:
        """Return lower and upper bounds from the output of `distribution`, however few the cases are.

        Args:
            values: float64 (resamples, values), the output of `distribution`.
            statistic: From weights (resamples, cases) to values (resamples, values), as in `distribution`.
            strata: int64 (cases,), the stratum of each case.
        """
        tail = (1 - self.confidence) / 2
        if self.method == "percentile":
            return _quantiles(values, np.full(values.shape[1], tail), np.full(values.shape[1], 1 - tail))
        if self.method == "expanded":
            tails = _expand(statistic, strata, tail)
            return _quantiles(values, tails, 1 - tails)
        point = statistic(np.ones((1, len(strata))))[0]
        bias, skew = median_bias(values, point), acceleration(statistic, strata)
        levels = [ndtr(bias + (bias + z) / (1 - skew * (bias + z))) for z in (ndtri(tail), ndtri(1 - tail))]
        low, high = _quantiles(values, *levels)
        undefined = np.isnan(point)
        low[undefined] = high[undefined] = np.nan
        return low, high

    def intervals_of(
        self, statistic: Callable[[Floats], Sequence[Floats]], strata: Integers, supports: Sequence[Any]
    ) -> list[Bounds]:
        """Return the bounds of several arrays from one pass over the same resamples; see `intervals`.

        Args:
            statistic: From weights (resamples, cases) to arrays, each (resamples, values).
            strata: int64 (cases,), the stratum of each case.
            supports: For each array, the fewest cases of a class that each value depends on, or one number.
        """
        widths = [part.shape[1] for part in statistic(np.ones((1, len(strata))))]
        found = self.intervals(
            lambda weights: np.concatenate(statistic(weights), axis=1),
            strata,
            np.concatenate([np.broadcast_to(one, width) for one, width in zip(supports, widths, strict=True)]),
        )
        places = np.cumsum(widths)[:-1]
        return [Bounds(*parts) for parts in zip(*(np.split(part, places) for part in found), strict=True)]


def _count_draws(generator: np.random.Generator, counts: Floats) -> None:
    """Draw as many of some cases as there are, with replacement, and count how often each, (resamples, cases)."""
    rows, size = counts.shape
    drawn = generator.integers(0, size, size=(rows, size))
    if size > MOST_CASES_AT_ONCE:
        # The counts of one resample fit the cache of the processor, those of several do not.
        for into, of_resample in zip(counts, drawn, strict=True):
            into[:] = np.bincount(of_resample, minlength=size)
        return
    drawn += np.arange(rows)[:, None] * size
    counts[:] = np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size)


def can_vary(strata: Integers) -> bool:
    """Return whether any stratum holds two cases, so that one resample can differ from another."""
    return bool((np.bincount(strata) > 1).any())


def _quantiles(values: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return two quantiles of each column, of the resamples in which it is defined."""
    bounds = np.full((2, values.shape[1]), np.nan)
    for index, column in enumerate(values.T):
        defined = column[np.isfinite(column)]
        if len(defined):
            bounds[:, index] = np.quantile(defined, [low[index], high[index]])
    return bounds[0], bounds[1]


def median_bias(values: Floats, point: Floats) -> Floats:
    """Return the median bias of each column in normal quantiles; half of the ties count as below."""
    defined = np.isfinite(values)
    count = np.maximum(defined.sum(axis=0), 1)
    below = (values < point).sum(axis=0) + (values <= point).sum(axis=0)
    # All resamples on one side would put the bound at infinity; half a resample is the resolution.
    return np.asarray(ndtri(np.clip(below / (2 * count), 0.5 / count, 1 - 0.5 / count)))


def acceleration(statistic: Statistic, strata: Integers) -> Floats:
    """Return the acceleration of each value from leaving out each case in turn, within its stratum."""
    cases = len(strata)
    if cases > MOST_CASES_TO_LEAVE_OUT:
        raise EvaluationError(
            f'method="bca" leaves out each case in turn, and there are {cases}; over {MOST_CASES_TO_LEAVE_OUT} use '
            '"percentile", which agrees with it at such numbers.'
        )
    parts = list(_influences(statistic, strata))
    squares = np.sum([(influence**2).sum(axis=0) / len(influence) ** 2 for influence in parts], axis=0)
    cubes = np.sum([(influence**3).sum(axis=0) / len(influence) ** 3 for influence in parts], axis=0)
    return np.asarray(np.divide(cubes, 6 * squares**1.5, out=np.zeros_like(cubes), where=squares > 0))


def _expand(statistic: Statistic, strata: Integers, tail: float) -> Floats:
    """Return the tail of each value at which percentiles are as wide as a t interval."""
    wider, freedom = widening(statistic, strata)
    return np.asarray(np.where(np.isfinite(freedom), ndtr(wider * stdtrit(freedom, tail)), tail))


def widening(statistic: Statistic, strata: Integers) -> tuple[Floats, Floats]:
    """Return the factor by which the resamples of each value spread too little, and its degrees of freedom.

    The variance of n cases drawn with replacement is that of their sample with divisor n instead of n - 1; and it is
    itself an estimate, which a normal quantile ignores. With very many cases, and for a value that does not vary, there
    is no correction: the factor is 1, the degrees of freedom infinite.
    """
    if len(strata) > MOST_CASES_TO_LEAVE_OUT:
        count = statistic(np.ones((1, len(strata)))).shape[1]
        return np.ones(count), np.full(count, np.inf)
    parts = list(_influences(statistic, strata))
    sizes = np.array([len(influence) for influence in parts], dtype=np.float64)[:, None]
    drawn = np.stack([(influence**2).sum(axis=0) / len(influence) ** 2 for influence in parts])
    right = drawn * sizes / (sizes - 1)
    total, uncertain = right.sum(axis=0), (right**2 / (sizes - 1)).sum(axis=0)
    varies = np.isfinite(total) & (total > 0)
    freedom = np.divide(total**2, uncertain, out=np.full_like(total, np.inf), where=varies)
    wider = np.sqrt(np.divide(total, drawn.sum(axis=0), out=np.ones_like(total), where=varies))
    return wider, freedom


def _influences(statistic: Statistic, strata: Integers) -> Iterator[Floats]:
    """Yield for each stratum the influence of each of its cases on each value (jackknife), (cases, values).

    A case alone in its stratum is in every resample: it contributes neither to the variance nor to the skewness.
    """
    cases = len(strata)
    movable = np.flatnonzero(np.bincount(strata)[strata] > 1)
    left_out = np.ones((len(movable), cases))
    left_out[np.arange(len(movable)), movable] = 0.0
    step = max(1, BLOCK // cases)
    values = np.concatenate([statistic(left_out[start : start + step]) for start in range(0, len(movable), step)])
    for stratum in np.unique(strata[movable]):
        inside = values[strata[movable] == stratum]
        yield (len(inside) - 1) * (inside.mean(axis=0) - inside)
