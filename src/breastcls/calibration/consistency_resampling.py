"""Calibration errors of a perfectly calibrated model, by consistency resampling.

An expected calibration error is never below 0, and even a perfectly calibrated model has a larger one the fewer cases
there are. Consistency resampling (Bröcker & Smith 2007, DOI 10.1175/WAF993.1) takes the predicted probabilities as
exact and draws the events from them many times. One random number is drawn per case: the event of an image occurs where
its probability is above that number, so it occurs with that probability, and the images of one case are as dependent as
their probabilities allow. Independent numbers per image would make the errors by chance look smaller than they are.

The calibration bias, the mean predicted probability minus the observed frequency, gets a bootstrap confidence interval
over all cases without strata: strata by class, as elsewhere, would fix the observed frequency, and intervals with them
exclude 0 too often. Where the event occurs, or does not occur, in fewer than five cases, the observed frequency has
at least Wilson's interval at the number of cases. Where fewer than five cases are misclassified, resamples show too
little of how an error changes the bias, and each bound is as far from it as that of the accuracy is from the accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.intervals.bootstrap import BLOCK, Bootstrap
from breastcls.intervals.minimum_cases import FEW_CASES
from breastcls.intervals.proportion_bounds import Proportions, bound_few, interval_at_cases

Floats = npt.NDArray[np.float64]
BIAS = "calibration_bias"
# Errors of few images take few values, and sums of the same numbers may differ by rounding.
ROUNDING = 1e-9


def resample_errors(
    predicted: Floats, codes: npt.NDArray[np.int64], edges: Sequence[Floats], bootstrap: Bootstrap
) -> Floats:
    """Return the calibration errors in each resample of a perfectly calibrated model.

    Args:
        predicted: float64 (n,), the predicted probability of each row.
        codes: int64 (n,), the index of the case of each row.
        edges: Edges of the bins, ascending from 0 to 1, one array per binning.
        bootstrap: The number of resamples and the seed.

    Returns:
        float64 (resamples, 2 x binnings): expected and maximum calibration error of the one binning, then the next.

    Example:
        >>> halves = np.full(4, 0.5)
        >>> found = resample_errors(halves, np.zeros(4, dtype=np.int64), [np.array([0.0, 1.0])], Bootstrap(100))
        >>> found.shape, np.unique(found).tolist()  # one case: the event occurs in all of it or in none
        ((100, 2), [0.5])
    """
    order = np.argsort(predicted, kind="stable")
    ascending, case_of_row = predicted[order], codes[order]
    # In sorted order each bin is a range of rows; empty bins have none.
    starts = [np.unique(np.searchsorted(ascending, one[:-1], side="left")) for one in edges]
    starts = [one[one < len(ascending)] for one in starts]
    # The rows are counted once, between the edges of all binnings.
    every = np.unique(np.concatenate(starts))
    ends = [*every[1:], len(ascending)]
    expected = [np.add.reduceat(ascending, of_bins) for of_bins in starts]
    generator = np.random.default_rng(bootstrap.seed)
    found = np.empty((bootstrap.resamples, 2 * len(edges)))
    step = max(1, BLOCK // len(predicted))
    for start in range(0, bootstrap.resamples, step):
        rows = min(step, bootstrap.resamples - start)
        chance = generator.random((rows, int(codes.max()) + 1))
        occurred = chance.take(case_of_row, axis=1) < ascending
        ranges = zip(every, ends, strict=True)
        counts = np.stack([np.count_nonzero(occurred[:, low:high], axis=1) for low, high in ranges], axis=1)
        for place, of_bins in enumerate(starts):
            images = np.diff([*of_bins, len(ascending)])
            off = np.abs(np.add.reduceat(counts, np.searchsorted(every, of_bins), axis=1) - expected[place])
            found[start : start + rows, 2 * place] = off.sum(axis=1) / len(ascending)
            found[start : start + rows, 2 * place + 1] = (off / images).max(axis=1)
    return found


def compare_errors(errors: pd.Series, resampled: Floats, confidence: float) -> pd.DataFrame:
    """Return for each calibration error its distribution for a perfectly calibrated model.

    Args:
        errors: The errors, in the order of the columns of `resampled`.
        resampled: float64 (resamples, errors).
        confidence: The quantile to return as `upper`.

    Returns:
        Columns `expected` (the mean), `upper` and `p`: the fraction of resamples with an error at least as large.
    """
    as_large = (resampled >= errors.to_numpy() - ROUNDING).sum(axis=0)
    return pd.DataFrame(
        {
            "expected": resampled.mean(axis=0),
            "upper": np.quantile(resampled, confidence, axis=0),
            # The observed error counts as one more resample, so that p is never 0.
            "p": (1 + as_large) / (1 + len(resampled)),
        },
        index=errors.index,
    )


def estimate_bias(
    predicted: Floats,
    observed: Floats,
    codes: npt.NDArray[np.int64],
    bootstrap: Bootstrap,
    fewest: int,
    correct: npt.NDArray[np.bool_],
) -> pd.DataFrame:
    """Return the mean of predicted minus observed over the rows.

    Args:
        predicted: float64 (n,), the predicted probability of each row.
        observed: float64 (n,), 1 where the event occurred, else 0.
        codes: int64 (n,), the index of the case of each row.
        bootstrap: How the confidence interval is computed.
        fewest: Cases of the class with the fewest.
        correct: bool (n,), whether the class of each row is predicted.

    Returns:
        One row `BIAS`, columns `value`, `low`, `high`, `reason`.
    """
    images, differences = np.bincount(codes), np.bincount(codes, predicted - observed)

    def measure(weights: Floats) -> Floats:
        return np.asarray((weights @ differences / (weights @ images))[:, None])

    one_stratum = np.zeros(len(images), dtype=np.int64)
    value, bounds = measure(np.ones((1, len(images))))[0], bootstrap.intervals(measure, one_stratum, fewest)
    # Where the event occurs in nearly all cases or in nearly none, resamples hardly change the observed frequency.
    mean = predicted.mean()
    of_frequency = bounds._replace(low=mean - bounds.high, high=mean - bounds.low)
    events = Proportions.from_cases(np.bincount(codes, observed)[:, None], images[:, None])
    of_frequency = bound_few(of_frequency, events, bootstrap.confidence)
    bounds = of_frequency._replace(low=mean - of_frequency.high, high=mean - of_frequency.low)
    # An error in a further row changes the bias by as much as the accuracy, in one direction or the other.
    hits = Proportions.from_cases(np.bincount(codes, correct)[:, None], images[:, None])
    accuracy = hits.successes / hits.trials
    low, high = interval_at_cases(hits.successes, hits.trials, hits.cases, bootstrap.confidence)
    further = np.maximum(accuracy - low, high - accuracy)
    ends = np.maximum(value - further, mean - 1), np.minimum(value + further, mean)
    bounds = bounds.widen(hits.varying < FEW_CASES, *ends)
    return pd.DataFrame({"value": value, **bounds._asdict()}, index=pd.Index([BIAS], name="part"))
