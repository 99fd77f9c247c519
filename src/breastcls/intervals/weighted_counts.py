"""Counts of rows by group, of weighted cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
# With more cases of one row each, adding each row to its group is faster, and takes less memory, than a matrix product.
MANY_CASES = 20_000


class WeightedCounts:
    """Rows by group and case.

    Args:
        groups: int (n,), the group of each row, 0..size-1.
        codes: int (n,), index of the case of each row, 0..cases-1.
        size: Number of groups.
        cases: Number of cases.

    Example:
        >>> counts = WeightedCounts(np.array([0, 1, 1]), np.array([0, 0, 1]), 2, 2)
        >>> counts.weigh(np.array([[1.0, 3.0]])).tolist()
        [[1.0, 4.0]]
    """

    def __init__(self, groups: npt.NDArray[Any], codes: npt.NDArray[Any], size: int, cases: int) -> None:
        self._size = size
        self._group_of_case: Integers | None = None
        if are_many_of_one_row(codes, cases):
            self._group_of_case = np.empty(cases, dtype=np.int64)
            self._group_of_case[codes] = groups
            return
        pairs = sparse.coo_array((np.ones(len(groups)), (groups, codes)), shape=(size, cases), dtype=np.float64)
        self._counts = pairs.tocsr()

    def weigh(self, weights: Floats) -> Floats:
        """Return the weight of each group, float64 (resamples, groups), from those of the cases, (resamples, cases)."""
        if self._group_of_case is None:
            return np.asarray((self._counts @ np.ascontiguousarray(weights.T)).T)
        return np.stack([np.bincount(self._group_of_case, row, minlength=self._size) for row in weights])


def are_many_of_one_row(codes: npt.NDArray[Any], cases: int) -> bool:
    """Return whether there are many cases, and each has one row, as where cases are not known."""
    return len(codes) == cases > MANY_CASES
