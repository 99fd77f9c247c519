"""Wilson intervals of simple proportions, and of ratios of two."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from breastcls.errors import EvaluationError
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]


def wilson_interval(successes: Any, trials: Any, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return the Wilson interval of a proportion (Wilson 1927, DOI 10.1080/01621459.1927.10502953).

    Unlike that of a bootstrap its width is not zero where every case, or none, is correct.

    Args:
        successes: Counts, any shape.
        trials: Counts, same shape.
        confidence: Nominal coverage, in 0..1.

    Returns:
        Lower and upper bounds, float64; NaN where there are no trials.

    Raises:
        EvaluationError: If there are more successes than trials, or a negative count.

    Example:
        >>> low, high = wilson_interval(5, 5)
        >>> round(float(low), 3), round(float(high), 3)
        (0.566, 1.0)
    """
    hits, count = np.broadcast_arrays(np.asarray(successes, np.float64), np.asarray(trials, np.float64))
    if (hits < 0).any() or (hits > count).any():
        raise EvaluationError("Successes must lie between 0 and the number of trials.")
    z = float(ndtri(0.5 + confidence / 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = hits / count
        centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
        half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    # At the ends the bound is exact, without rounding error.
    low = np.where(hits == 0, 0.0, centre - half)
    high = np.where(hits == count, 1.0, centre + half)
    return np.where(count > 0, low, np.nan), np.where(count > 0, high, np.nan)


def ratio_interval(first: tuple[Any, Any], second: tuple[Any, Any], confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return a confidence interval of the ratio of two independent proportions, from the Wilson intervals of both.

    MOVER-R (method of variance estimates recovery): Donner & Zou 2012, DOI 10.1177/0962280210383082.

    Args:
        first: Successes and trials of the numerator, counts of any shape.
        second: Those of the denominator.
        confidence: Nominal coverage, in 0..1.

    Returns:
        Lower and upper bounds, float64; the upper is infinite where the denominator is 0. NaN without trials.

    Raises:
        EvaluationError: If there are more successes than trials, or a negative count.

    Example:
        >>> low, high = ratio_interval((0, 10), (9, 10))
        >>> round(float(low), 3), round(float(high), 3)
        (0.0, 0.328)
    """
    (low_1, high_1), (low_2, high_2) = (wilson_interval(*share, confidence) for share in (first, second))
    with np.errstate(invalid="ignore", divide="ignore"):
        one, two = (np.asarray(share[0], np.float64) / np.asarray(share[1], np.float64) for share in (first, second))
        # Each bound solves (one - ratio * two)^2 = (distance of one to its bound)^2 + (ratio * that of two)^2.
        below, above = low_1 * (2 * one - low_1), high_1 * (2 * one - high_1)
        left, right = low_2 * (2 * two - low_2), high_2 * (2 * two - high_2)
        middle = one * two
        low = below / (middle + np.sqrt(np.maximum(middle**2 - below * right, 0.0)))
        high = (middle + np.sqrt(np.maximum(middle**2 - above * left, 0.0))) / left
    return np.where(below == 0, 0.0, low), np.where(left == 0, np.inf, high)


def has_one_row_per_case(predictions: Predictions) -> bool:
    """Return whether cases are known and no case has more than one row."""
    return predictions.cases is not None and len(set(predictions.cases.tolist())) == len(predictions)
