"""Wilson intervals, where each case gives one decision and a figure is a plain share of cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from breastcls.errors import EvaluationError
from breastcls.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]


def wilson_interval(successes: Any, trials: Any, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return the Wilson interval of a share (Wilson 1927, DOI 10.1080/01621459.1927.10502953).

    Unlike a bootstrap it has a width also where every case, or none, was decided rightly.

    Args:
        successes: Counts, any shape.
        trials: Counts, same shape.
        confidence: Of the interval.

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
    # At the ends rounding would leave 1 or 0 by a hair.
    low = np.where(hits == 0, 0.0, centre - half)
    high = np.where(hits == count, 1.0, centre + half)
    return np.where(count > 0, low, np.nan), np.where(count > 0, high, np.nan)


def has_one_decision_a_case(predictions: Predictions) -> bool:
    """Return whether cases are known and no case has more than one row."""
    return predictions.cases is not None and len(set(predictions.cases.tolist())) == len(predictions)


def binary_shares(counts: npt.NDArray[np.integer[Any]]) -> dict[str, tuple[int, int]]:
    """Return the metrics that are plain shares, each as (successes, trials).

    Args:
        counts: Confusion counts (classes, classes), rows true, columns decided. Recall and specificity are plain shares
            with two classes; with more they are means of shares.
    """
    right, images = int(np.trace(counts)), int(counts.sum())
    shares = {"accuracy": (right, images), "image_recognition_rate": (right, images)}
    if len(counts) == 2:
        shares["recall"] = (int(counts[1, 1]), int(counts[1].sum()))
        shares["specificity"] = (int(counts[0, 0]), int(counts[0].sum()))
    return shares
