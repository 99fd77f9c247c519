"""Confidence intervals of proportions of rows, where a case has several rows and few cases deviate.

A bootstrap cannot resample an error that is not in the sample, and where the errors are of one or two cases it
estimates the variation between cases from these alone. So an interval is nowhere narrower than Wilson's at the number
of cases, since the rows of a case may all be wrong together, unless five cases have a success and five a failure: with
fewer, the intervals of the expanded bootstrap contain the true value in a third to nine tenths of simulations, from
five on in nine tenths or more (`benchmarks/interval_coverage.py --few`; the table in `docs/explanation/intervals.md`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from breastcls.intervals.minimum_cases import FEW_CASES, NO_VARIATION, ROUNDING, Bounds
from breastcls.intervals.proportions import has_one_row_per_case, wilson_interval
from breastcls.metrics.division import divide
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Proportions(NamedTuple):
    """Proportions of rows, and the number of cases behind them.

    Attributes:
        successes: float64 (values,), rows.
        trials: float64 (values,), rows; 0 where the value is no proportion.
        cases: int64 (values,), the cases with a trial.
        varying: int64 (values,), the cases with a success or the cases with a failure, whichever are fewer.
    """

    successes: Floats
    trials: Floats
    cases: Integers
    varying: Integers

    @classmethod
    def from_cases(cls, successes: Any, trials: Any) -> Proportions:
        """Count them from the successes and the trials of each case, both (cases, values) or (cases,).

        Example:
            >>> two = Proportions.from_cases([[3, 3], [4, 0], [4, 4]], [[4, 4], [4, 4], [4, 4]])
            >>> two.successes.tolist(), two.cases.tolist(), two.varying.tolist()
            ([11.0, 7.0], [3, 3], [1, 2])
        """
        right, rows = np.asarray(successes, np.float64), np.asarray(trials, np.float64)
        # A sum of shares may miss the number of trials by a rounding error.
        with_success, with_failure = right > ROUNDING, rows - right > ROUNDING
        total = rows.sum(axis=0)
        return cls(
            np.clip(right.sum(axis=0), 0, total),
            total,
            np.asarray((rows > 0).sum(axis=0)),
            np.asarray(np.minimum(with_success.sum(axis=0), with_failure.sum(axis=0))),
        )

    @classmethod
    def reaching(cls, scores: Any, codes: Any, limits: Any) -> Proportions:
        """Count the rows whose score is a limit or more, for each of several limits.

        Args:
            scores: (n,), at least one.
            codes: int64 (n,), the case of each row.
            limits: (values,).

        Example:
            >>> found = Proportions.reaching([0.1, 0.9, 0.8], [0, 0, 1], [0.0, 0.5])
            >>> found.successes.tolist(), found.varying.tolist()
            ([3.0, 2.0], [0, 1])
        """
        least, most = _extremes(scores, codes)
        rows = len(scores) - np.searchsorted(np.sort(scores), limits)
        return cls(
            rows.astype(np.float64),
            np.full(len(rows), float(len(scores))),
            np.full(len(rows), len(least), dtype=np.int64),
            np.minimum(len(most) - np.searchsorted(most, limits), np.searchsorted(least, limits)),
        )

    def complement(self) -> Proportions:
        """Return the proportions of failures."""
        return self._replace(successes=self.trials - self.successes)

    def take(self, place: int) -> Proportions:
        """Return one of several values."""
        return Proportions(*(part[place] for part in self))

    def mask(self, chosen: Any) -> Proportions:
        """Return them without trials where a value is no proportion."""
        return self._replace(trials=np.where(chosen, self.trials, 0.0), successes=np.where(chosen, self.successes, 0.0))


def cases_reaching(scores: Any, codes: Any, limits: Any) -> Integers:
    """Return the number of cases with a row whose score is a limit or more, int64 (limits,)."""
    most = _extremes(scores, codes)[1]
    return np.asarray(len(most) - np.searchsorted(most, limits))


def _extremes(scores: Any, codes: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the lowest and the highest score of each case, both in ascending order."""
    order = np.lexsort((scores, codes))
    ordered, of_case = np.asarray(scores)[order], np.asarray(codes)[order]
    first = np.append(True, of_case[1:] != of_case[:-1])
    return np.sort(ordered[first]), np.sort(ordered[np.append(first[1:], True)])


def bound_proportions(predictions: Predictions, bounds: Bounds, proportions: Proportions, confidence: float) -> Bounds:
    """Return the bounds of proportions, by Wilson's interval where the bootstrap alone would be too narrow.

    Args:
        predictions: The predictions that were counted. Where each case has one row, all intervals are Wilson's.
        bounds: Those of the bootstrap.
        proportions: In the shape of the bounds; without trials the bounds are kept.
        confidence: Nominal coverage, in 0..1.
    """
    if has_one_row_per_case(predictions):
        usable = ((bounds.reason == NO_VARIATION) | (bounds.reason == "")) & (proportions.trials > 0)
        return bounds.replace(usable, *wilson_interval(proportions.successes, proportions.trials, confidence))
    return bound_few(bounds, proportions, confidence)


def bound_few(bounds: Bounds, proportions: Proportions, confidence: float) -> Bounds:
    """Return the same without regard to the number of rows of each case."""
    ends = interval_at_cases(proportions.successes, proportions.trials, proportions.cases, confidence)
    still = bounds.reason == NO_VARIATION
    return bounds.replace(still & (proportions.trials > 0), *ends).widen(proportions.varying < FEW_CASES, *ends)


def interval_at_cases(successes: Any, trials: Any, cases: Any, confidence: float) -> tuple[Floats, Floats]:
    """Return Wilson's interval of a proportion of rows, as if each case were one trial; NaN without trials."""
    count = np.asarray(cases, np.float64)
    share = divide(successes, trials, 0.0)
    low, high = wilson_interval(share * count, np.broadcast_to(count, share.shape), confidence)
    return np.where(np.asarray(trials) > 0, low, np.nan), np.where(np.asarray(trials) > 0, high, np.nan)
