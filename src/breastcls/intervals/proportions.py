"""Wilson intervals, where each case gives one decision and a figure is a plain share of cases, or a ratio of two.

A bootstrap cannot draw a mistake that is not there: of a perfect share every resample is perfect too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import can_vary
from breastcls.metrics.classification_metrics import count_confusion, slide_codes
from breastcls.predictions.predictions import Predictions

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


def ratio_interval(first: tuple[Any, Any], second: tuple[Any, Any], confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return an interval of the ratio of two independent shares, made of the Wilson intervals of both.

    MOVER-R (method of variance estimates recovery): Donner & Zou 2012, DOI 10.1177/0962280210383082.

    Args:
        first: Successes and trials of the share above the line, counts of any shape.
        second: Those of the share below it.
        confidence: Of the interval.

    Returns:
        Lower and upper bounds, float64; the upper is infinite where the second share is 0. NaN without trials.

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


def has_one_decision_a_case(predictions: Predictions) -> bool:
    """Return whether cases are known and no case has more than one row."""
    return predictions.cases is not None and len(set(predictions.cases.tolist())) == len(predictions)


def bound_shares(
    predictions: Predictions,
    strata: npt.NDArray[np.int64],
    bounds: tuple[Floats, Floats],
    shares: tuple[Any, Any],
    confidence: float,
) -> tuple[Floats, Floats]:
    """Return Wilson's bounds of plain shares where each case gives one decision, else those of the bootstrap.

    Args:
        predictions: What the shares were counted in.
        strata: As the bootstrap had them: where no case can take another's place there is no interval at all.
        bounds: Lower and upper bounds of the bootstrap.
        shares: Successes and trials, counts of rows, in the shape of the bounds; without trials the bounds stay.
        confidence: Of the interval.
    """
    if not (has_one_decision_a_case(predictions) and can_vary(strata)):
        return bounds
    successes, trials = (np.broadcast_to(np.asarray(one, np.float64), np.shape(bounds[0])) for one in shares)
    exact = wilson_interval(successes, trials, confidence)
    low, high = (np.where(trials > 0, wilson, drawn) for wilson, drawn in zip(exact, bounds, strict=True))
    return low, high


def bound_metrics(
    table: pd.DataFrame, predictions: Predictions, strata: npt.NDArray[np.int64], confidence: float
) -> None:
    """Write Wilson's bounds over those of the bootstrap where they belong; see `bound_shares`.

    Args:
        table: Index metric, columns `low` and `high`.
        predictions: What was scored.
        strata: As the bootstrap had them.
        confidence: Of the intervals.
    """
    counts = count_confusion(predictions.labels, predictions.decisions, len(predictions.classes))
    shares = binary_shares(counts)
    if slide_codes(predictions) is not None:
        # One decision a case is one a slide as well, and the mean over slides of one decision each is the accuracy.
        shares["patient_recognition_rate"] = shares["accuracy"]
    for metric, share in shares.items():
        if metric in table.index:
            low, high = table.loc[metric, ["low", "high"]].to_numpy(dtype=np.float64)
            bounds = bound_shares(predictions, strata, (low, high), share, confidence)
            table.loc[metric, ["low", "high"]] = [float(bound) for bound in bounds]


def binary_shares(counts: npt.NDArray[np.integer[Any]]) -> dict[str, tuple[int, int]]:
    """Return the metrics that are plain shares, each as (successes, trials).

    Args:
        counts: Confusion counts (classes, classes), rows true, columns decided. Precision, recall and specificity are
            plain shares with two classes; with more they are means of shares.
    """
    right, images = int(np.trace(counts)), int(counts.sum())
    shares = {"accuracy": (right, images), "image_recognition_rate": (right, images)}
    if len(counts) == 2:
        shares |= {name: (int(above[1]), int(below[1])) for name, (above, below) in class_shares(counts).items()}
    return shares


def class_shares(counts: npt.NDArray[np.integer[Any]]) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """Return the figures of each class that are plain shares, each as (successes, trials), both (classes,).

    Args:
        counts: Confusion counts (classes, classes), rows true, columns decided.
    """
    hits, true, decided = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    rest = counts.sum() - true
    return {
        # Without an image of the class, or a decision for it, precision is no share; see `per_class_metrics`.
        "precision": (hits, np.where(true > 0, decided, 0)),
        "recall": (hits, true),
        "specificity": (rest - (decided - hits), rest),
    }
