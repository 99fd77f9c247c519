"""How many cases a confidence interval needs, and why a value has none.

A bootstrap over cases estimates the variation between cases from the cases of each class. One case has no variation;
from two it is estimated with one degree of freedom, and no resample of two cases is as far out as a 95% interval has to
be. `benchmarks/interval_coverage.py --few` measures it (`few_cases` in `benchmarks/results/interval_coverage.json`, and
the table in `docs/explanation/intervals.md`): with two cases of a class the 95% intervals of a bootstrap hold the true
specificity in about half of the simulations. From three cases on, proportions and the AUC can be bounded by intervals
at the number of cases, which hold it about as often as stated; from five on the bootstrap alone is near. Metrics that
are neither (MCC, average precision, Brier score, log loss, calibration errors) have an interval from five cases on.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# With fewer cases of a class that a metric depends on, its confidence interval is not estimable.
MIN_CASES = 3
# With fewer, a limitation is reported with it, and an interval that only a bootstrap could give is not estimable.
FEW_CASES = 5

# Why a value has no confidence interval, as in the columns `reason` of tables; "" where it has one.
TOO_FEW_CASES = "too-few-cases"
NO_VARIATION = "no-variation"
NO_ERRORS = "no-errors"
VALUE_NOT_DEFINED = "value-not-defined"
CASES_NOT_KNOWN = "cases-not-known"
MANY_CLASSES = "many-classes"
FEW_FOR_BOOTSTRAP = "few-cases"
VALUE_WITHOUT_INTERVAL = "value-without-interval"
REASONS = {
    TOO_FEW_CASES: f"there are fewer than {MIN_CASES} cases of a class that the value depends on",
    NO_VARIATION: "every resample of the cases has the same value",
    NO_ERRORS: "no image is misclassified, so that the effect of an error on the value cannot be estimated",
    VALUE_NOT_DEFINED: "the value is not defined",
    CASES_NOT_KNOWN: "cases are not known",
    MANY_CLASSES: "curves of more than 20 classes have no bands",
    FEW_FOR_BOOTSTRAP: (
        f"there are fewer than {FEW_CASES} cases of a class, which are too few for a bootstrap of this value"
    ),
    VALUE_WITHOUT_INTERVAL: (
        f"there are fewer than {FEW_CASES} cases of a class, and one of the two values has no confidence interval"
    ),
}

# Values that are the same in every resample may still differ by a rounding error.
ROUNDING = 1e-9


class Bounds(NamedTuple):
    """Confidence intervals of several values.

    Attributes:
        low: float64 (values,), NaN where there is none.
        high: float64 (values,), NaN where there is none.
        reason: object (values,) of str: why there is none, a key of `REASONS`; "" where there is one.
    """

    low: Floats
    high: Floats
    reason: npt.NDArray[Any]

    def replace(self, where: npt.NDArray[np.bool_], low: Floats, high: Floats) -> Bounds:
        """Return the bounds with others at some places, where these are defined."""
        used = where & np.isfinite(low) & np.isfinite(high)
        return Bounds(np.where(used, low, self.low), np.where(used, high, self.high), np.where(used, "", self.reason))

    def widen(self, where: npt.NDArray[np.bool_], low: Floats, high: Floats) -> Bounds:
        """Return the bounds no narrower than others at some places that have bounds."""
        used = where & (self.reason == "") & np.isfinite(low) & np.isfinite(high)
        return Bounds(
            np.where(used, np.minimum(low, self.low), self.low),
            np.where(used, np.maximum(high, self.high), self.high),
            self.reason,
        )

    def drop(self, where: npt.NDArray[np.bool_], reason: str) -> Bounds:
        """Return the bounds without those at some places, for a reason."""
        none = np.where(where, np.nan, self.low), np.where(where, np.nan, self.high)
        return Bounds(*none, np.where(where, reason, self.reason))

    def drop_few(self, support: Any, where: Any = True) -> Bounds:
        """Return the bounds without those at some places that are a bootstrap's of fewer than five cases of a class.

        Args:
            support: int64 (values,) or one number: the fewest cases of a class that each value depends on.
            where: bool (values,), the values for which there is no other interval.
        """
        few = np.asarray(where) & (np.asarray(support) < FEW_CASES)
        return self.drop(few & (self.reason == ""), FEW_FOR_BOOTSTRAP)

    def reshape(self, *shape: int) -> Bounds:
        """Return all three in another shape."""
        return Bounds(self.low.reshape(shape), self.high.reshape(shape), self.reason.reshape(shape))


def check_bounds(low: Floats, high: Floats, point: Floats, support: Integers) -> Bounds:
    """Return bounds of resampled values, without those that would look more certain than they are.

    Args:
        low: float64 (values,).
        high: float64 (values,).
        point: float64 (values,), the values themselves.
        support: int64 (values,), the fewest cases of a class that each value depends on.

    Example:
        >>> low, high, half = np.array([0.4, 0.4, 0.5]), np.array([0.6, 0.6, 0.5]), np.full(3, 0.5)
        >>> check_bounds(low, high, half, np.array([3, 2, 9])).reason.tolist()
        ['', 'too-few-cases', 'no-variation']
    """
    found = Bounds(low, high, np.full(np.shape(low), "", dtype=object))
    with np.errstate(invalid="ignore"):
        found = found.drop(~(np.isfinite(low) & np.isfinite(high)) | (high - low < ROUNDING), NO_VARIATION)
    found = found.drop(support < MIN_CASES, TOO_FEW_CASES)
    return found.drop(np.isnan(point), VALUE_NOT_DEFINED)


def no_bounds(reason: str, count: int) -> Bounds:
    """Return no bounds for so many values, for a reason."""
    return Bounds(np.full(count, np.nan), np.full(count, np.nan), np.full(count, reason, dtype=object))
