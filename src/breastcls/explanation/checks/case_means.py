"""Means over images with confidence intervals over cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from breastcls.errors import ExplanationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.minimum_cases import Bounds
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


def mean_over_cases(values: Floats, codes: npt.NDArray[np.int64], bootstrap: Bootstrap) -> tuple[Floats, Bounds]:
    """Return the mean of each column over images, and its confidence interval from resampled cases.

    Args:
        values: float64 (n, columns); NaN where an image has no value.
        codes: int64 (n,), the case of each image, see `check_cases`.
        bootstrap: How the intervals are computed.

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

    support = (sizes > 0).sum(axis=0)
    bounds = bootstrap.intervals(means, np.zeros(count, dtype=np.int64), support)
    return means(np.ones((1, count)))[0], bounds
