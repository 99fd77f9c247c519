"""Wilson intervals of simple proportions, and of ratios of two, where each case has one row.

A bootstrap cannot resample an error that is not in the sample: every resample of a proportion of 1 is 1 too.
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


def bound_proportions(
    predictions: Predictions,
    strata: npt.NDArray[np.int64],
    bounds: tuple[Floats, Floats],
    shares: tuple[Any, Any],
    confidence: float,
) -> tuple[Floats, Floats]:
    """Return Wilson's bounds of simple proportions where each case has one row, else those of the bootstrap.

    Args:
        predictions: The predictions that were counted.
        strata: Those of the bootstrap: where no stratum holds two cases there is no interval.
        bounds: Lower and upper bounds of the bootstrap.
        shares: Successes and trials, counts of rows, in the shape of the bounds; without trials the bounds are kept.
        confidence: Nominal coverage, in 0..1.
    """
    if not (has_one_row_per_case(predictions) and can_vary(strata)):
        return bounds
    successes, trials = (np.broadcast_to(np.asarray(one, np.float64), np.shape(bounds[0])) for one in shares)
    exact = wilson_interval(successes, trials, confidence)
    low, high = (np.where(trials > 0, wilson, drawn) for wilson, drawn in zip(exact, bounds, strict=True))
    return low, high


def bound_metrics(
    table: pd.DataFrame, predictions: Predictions, strata: npt.NDArray[np.int64], confidence: float
) -> None:
    """Replace bounds of the bootstrap by Wilson's in place where these apply; see `bound_proportions`.

    Args:
        table: Index metric, columns `low` and `high`.
        predictions: The scored predictions.
        strata: Those of the bootstrap.
        confidence: Nominal coverage, in 0..1.
    """
    counts = count_confusion(predictions.labels, predictions.decisions, len(predictions.classes))
    shares = binary_proportions(counts)
    if slide_codes(predictions) is not None:
        # One row per case is one per slide too, and the mean over slides of one row each is the accuracy.
        shares["patient_recognition_rate"] = shares["accuracy"]
    for metric, share in shares.items():
        if metric in table.index:
            low, high = table.loc[metric, ["low", "high"]].to_numpy(dtype=np.float64)
            bounds = bound_proportions(predictions, strata, (low, high), share, confidence)
            table.loc[metric, ["low", "high"]] = [float(bound) for bound in bounds]


def binary_proportions(counts: npt.NDArray[np.integer[Any]]) -> dict[str, tuple[int, int]]:
    """Return the metrics that are simple proportions, each as (successes, trials).

    Args:
        counts: Confusion counts (classes, classes), rows true, columns predicted. Precision, recall and specificity
            are simple proportions with two classes; with more they are means of proportions.
    """
    correct, images = int(np.trace(counts)), int(counts.sum())
    shares = {"accuracy": (correct, images), "image_recognition_rate": (correct, images)}
    if len(counts) == 2:
        shares |= {name: (int(above[1]), int(below[1])) for name, (above, below) in class_proportions(counts).items()}
    return shares


def class_proportions(counts: npt.NDArray[np.integer[Any]]) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """Return the metrics of each class that are simple proportions, as (successes, trials), both (classes,).

    Args:
        counts: Confusion counts (classes, classes), rows true, columns predicted.
    """
    hits, true, predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    rest = counts.sum() - true
    return {
        # Without an image of the class, or a prediction of it, precision is no proportion; see `per_class_metrics`.
        "precision": (hits, np.where(true > 0, predicted, 0)),
        "recall": (hits, true),
        "specificity": (rest - (predicted - hits), rest),
    }
