"""Means over images with confidence intervals over cases.

Below five cases the interval is no narrower than that of Student's t: a resample of so few cases is never further out
than the largest of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from breastcls.errors import ExplanationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.minimum_cases import FEW_CASES, Bounds
from breastcls.metrics.division import divide
from breastcls.text_tables import format_count

Floats = npt.NDArray[np.float64]


def check_cases(cases: Sequence[str] | None, images: int) -> npt.NDArray[np.int64]:
    """Return the number of the case of each image, int64 (n,); without cases each image is one of its own.

    Raises:
        ExplanationError: If there is not one case for each image.
    """
    if cases is None:
        return np.arange(images)
    if len(cases) != images:
        raise ExplanationError(
            f"cases has {format_count(len(cases), 'name')} for {format_count(images, 'image')}; expected one per image."
        )
    return np.asarray(np.unique(np.asarray(cases, dtype=str), return_inverse=True)[1], np.int64)


def mean_over_cases(
    values: Floats,
    codes: npt.NDArray[np.int64],
    bootstrap: Bootstrap,
    least: Floats | float = -np.inf,
    most: Floats | float = np.inf,
) -> tuple[Floats, Bounds]:
    """Return the mean of each column over images, and its confidence interval from resampled cases.

    Args:
        values: float64 (n, columns); NaN where an image has no value.
        codes: int64 (n,), the case of each image, see `check_cases`.
        bootstrap: How the intervals are computed.
        least: The least possible value of each column, float64 (columns,), at which an interval ends.
        most: The largest possible value.

    Example:
        >>> values = np.array([[1.0], [2.0], [3.0], [6.0]])
        >>> mean, bounds = mean_over_cases(values, np.arange(4), Bootstrap(resamples=500))
        >>> float(mean[0]), bool(bounds.low[0] < 3.0 < bounds.high[0])
        (3.0, True)
    """
    count = int(codes.max()) + 1
    defined = np.isfinite(values)
    sums = np.stack([np.bincount(codes, column, count) for column in np.where(defined, values, 0.0).T], axis=1)
    sizes = np.stack([np.bincount(codes, column, count) for column in defined.astype(np.float64).T], axis=1)

    def means(weights: Floats) -> Floats:
        return divide(weights @ sums, weights @ sizes)

    support = count_cases(values, codes)
    mean, bounds = means(np.ones((1, count)))[0], bootstrap.intervals(means, np.zeros(count, dtype=np.int64), support)
    few = (support < FEW_CASES) & (support > 1)
    half = _half_width(sums - np.nan_to_num(mean) * sizes, sizes.sum(axis=0), support, bootstrap.confidence)
    return mean, bounds.widen(few, np.maximum(mean - half, least), np.minimum(mean + half, most))


def count_cases(values: Floats, codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the number of cases with a value in each column, int64 (columns,)."""
    return np.array([len(np.unique(codes[np.isfinite(column)])) for column in values.T], dtype=np.int64)


def _half_width(residuals: Floats, images: Floats, cases: npt.NDArray[np.int64], confidence: float) -> Floats:
    """Return half the width of the t interval of each mean, float64 (columns,), from the residuals of each case."""
    freedom = np.maximum(cases - 1, 1)
    variance = (residuals**2).sum(axis=0) / np.maximum(images, 1.0) ** 2 * (1 + 1 / freedom)
    return np.asarray(np.sqrt(variance) * stdtrit(freedom, 0.5 + confidence / 2))
