"""Features of all images, prepared once for logistic regressions on many subsets of their rows."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.features.standardisation import LEAST_DEVIATION, Matrix

Singles = npt.NDArray[np.float32]
# The number of values of a block of rows: the block stays in the cache of the processor between two products with it.
_BLOCK_VALUES = 2**20
# Up to so many values the features are also kept as float64, for fits whose coefficients are reported.
MOST_EXACT_VALUES = 2**24
# Principal axes with a smaller share of the largest spread are rounding errors.
_LEAST_SPREAD = 1e-7


@dataclass(frozen=True, eq=False)
class SharedFeatures:
    """Features standardised over all rows, and their principal axes, which do not depend on labels.

    Attributes:
        values: float32 (n, d), standardised over all rows.
        mean: float64 (d,), of the features as they were.
        scale: float64 (d,), their standard deviation, 1 where they are nearly constant.
        spread: float32 (r,), variance along the principal axes.
        axes: float32 (d, r), the principal axes; r is d, or the rank where there are fewer rows than features.
    """

    values: Singles
    mean: Matrix
    scale: Matrix
    spread: Singles
    axes: Singles

    @classmethod
    def of(cls, features: npt.NDArray[Any]) -> SharedFeatures:
        """Prepare features (n, d) of any float type, also memory-mapped; at most one copy as float32 is made."""
        rows, width = features.shape
        blocks = list(row_blocks(rows, width))
        mean = np.sum([features[block].sum(axis=0, dtype=np.float64) for block in blocks], axis=0) / rows
        squares = np.zeros(width)
        for block in blocks:
            squares += ((features[block] - mean) ** 2).sum(axis=0)
        deviation = np.sqrt(squares / rows)
        least = LEAST_DEVIATION * max(float(deviation.max()), 1e-300)
        scale = np.where(deviation > least, deviation, 1.0)
        values = np.empty((rows, width), dtype=np.float32)
        for block in blocks:
            values[block] = (features[block] - mean) / scale
        spread, axes = _principal_axes(values, blocks)
        return cls(values, mean, scale, spread.astype(np.float32), axes.astype(np.float32))

    @property
    def can_be_exact(self) -> bool:
        """Whether there are few enough values for a copy as float64."""
        return self.values.size <= MOST_EXACT_VALUES

    @functools.cached_property
    def exact_values(self) -> Matrix:
        """`values` as float64."""
        return self.values.astype(np.float64)


def row_blocks(rows: int, width: int, values: int = _BLOCK_VALUES) -> Iterator[slice]:
    """Yield slices of rows with about so many values each.

    Example:
        >>> [block.stop for block in row_blocks(5, 2, values=4)]
        [2, 4, 5]
    """
    step = max(1, values // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _principal_axes(values: Singles, blocks: list[slice]) -> tuple[Matrix, Matrix]:
    rows, width = values.shape
    if width <= rows:
        products = np.zeros((width, width))
        for block in blocks:
            products += values[block].T @ values[block]
        spread, axes = np.linalg.eigh(products / rows)
        return np.maximum(spread, 0.0), axes
    spread, sides = np.linalg.eigh((values @ values.T).astype(np.float64) / rows)
    kept = spread > _LEAST_SPREAD * max(float(spread[-1]), 1e-300)
    spread, sides = spread[kept], sides[:, kept]
    return spread, (values.T @ sides.astype(np.float32)) / np.sqrt(rows * spread)
