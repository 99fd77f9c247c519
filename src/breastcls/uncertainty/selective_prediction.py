"""Selective prediction: the error rate among the images on which the model is most certain.

A model that may abstain predicts a fraction of the images, the coverage, and is wrong on a fraction of those, the risk.
An uncertainty score is useful if the risk falls with the coverage. Geifman & El-Yaniv 2017, arXiv:1705.08500; the area
under the curve and its excess over the best possible order: Geifman, Uziel & El-Yaniv 2019, arXiv:1805.08206.

Images with equal scores have no order: their risk is the mean over all orders.

The certainty of a predicted class depends on the threshold. At a threshold of 0.1 an image of 0.12 is only just
positive, although its probability is far from 0.5. Where there is a threshold, images are therefore ordered by their
distance from it in log-odds, in which 0.01 is as far from 0.1 as 0.55 is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.printed_table import PrintedTable
from breastcls.intervals.proportion_bounds import bound_few
from breastcls.metrics.division import divide
from breastcls.predictions.predictions import Predictions
from breastcls.uncertainty.certainty_order import CertaintyOrder, Floats

COVERAGES = tuple(np.linspace(0.05, 1.0, 20).round(2).tolist())


def risk_coverage(
    predictions: Predictions,
    uncertainty: Any = None,
    *,
    coverages: Sequence[float] = COVERAGES,
    bootstrap: Bootstrap | None = None,
) -> pd.DataFrame:
    """Return the risk-coverage curve: the error rate among the predicted images over the fraction predicted.

    Args:
        predictions: With known classes; their own threshold is applied, if they have one.
        uncertainty: A score of the probabilities by name (see `list_uncertainty_scores`), or one number per image,
            (n,), higher for less certain images. Default: the negative distance to the threshold in log-odds;
            without a threshold, "max-probability". A score by name does not depend on the threshold.
        coverages: Fractions of images to predict, above 0 and up to 1.
        bootstrap: How the confidence band is computed; default: 2000 resamples over cases, 95%, expanded percentile.

    Returns:
        One row per coverage, columns `coverage`, `risk`, `low`, `high`, `reason` (why there is no interval, else "").

    Raises:
        EvaluationError: If a class is not known, the scores are not one number per image, or a coverage is not a
            fraction.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.95, 0.9, 0.6, 0.55], labels=[1, 1, 1, 0], cases=list("abcd"), classes=("no", "yes"))
        >>> risk_coverage(some, coverages=[0.5, 1.0], bootstrap=Bootstrap(100))["risk"].tolist()
        [0.0, 0.25]
    """
    at = np.asarray(coverages, dtype=np.float64)
    if at.ndim != 1 or at.size == 0 or (at <= 0).any() or (at > 1).any():
        raise EvaluationError(f"`coverages` must be shares above 0 and up to 1; found {at.tolist()[:5]}.")
    order = CertaintyOrder(predictions, uncertainty)

    def measure(weights: Floats) -> Floats:
        return order.risks(weights, at)

    bootstrap = bootstrap or Bootstrap()
    value = measure(np.ones((1, len(order.strata))))[0]
    cases = order.cases_covered(at)
    bounds = bootstrap.intervals(measure, order.strata, np.minimum(cases, order.fewest))
    bounds = bound_few(bounds, order.proportions(value, at), bootstrap.confidence)
    return PrintedTable({"coverage": at, "risk": value, **bounds._asdict()})


def aurc(predictions: Predictions, uncertainty: Any = None, *, bootstrap: Bootstrap | None = None) -> pd.DataFrame:
    """Return the area under the risk-coverage curve, with confidence intervals over cases.

    Args:
        predictions: As for `risk_coverage`.
        uncertainty: As for `risk_coverage`.
        bootstrap: How confidence intervals are computed; default: 2000 resamples over cases, 95%, expanded percentile.

    Returns:
        Columns `value`, `low`, `high`, `reason` (why there is no interval: of an area, also fewer than five cases of a
        class); rows `aurc` (the mean risk over all coverages; a random order has the error rate here), `excess_aurc`
        (the difference from the best order, in which all correct predictions come first; 0 is perfect) and `risk` (the
        error rate, at full coverage).

    Raises:
        EvaluationError: As for `risk_coverage`.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.95, 0.9, 0.6, 0.55], labels=[1, 1, 1, 0], cases=list("abcd"), classes=("no", "yes"))
        >>> aurc(some, bootstrap=Bootstrap(100))["value"].round(4).tolist()
        [0.0625, 0.0, 0.25]
    """
    order = CertaintyOrder(predictions, uncertainty)

    def measure(weights: Floats) -> Floats:
        return np.concatenate([_areas(images, wrong) for images, wrong in order.accumulate(weights)])

    bootstrap = bootstrap or Bootstrap()
    value = measure(np.ones((1, len(order.strata))))[0]
    bounds = bootstrap.intervals(measure, order.strata, order.fewest)
    # Of the three the risk is a proportion of the images.
    risk = order.proportions(value, np.ones(3)).mask(np.arange(3) == 2)
    bounds = bound_few(bounds, risk, bootstrap.confidence).drop_few(order.fewest, np.arange(3) != 2)
    index = pd.Index(["aurc", "excess_aurc", "risk"], name="metric")
    return PrintedTable({"value": value, **bounds._asdict()}, index=index)


def _areas(images: Floats, wrong: Floats) -> Floats:
    """Return the area, its excess over that of the best order, and the risk, (resamples, 3).

    The area is the mean risk of the 1, 2, ... most certain images. Over a group of w equal scores with e mistakes,
    after W images with E mistakes, the risks (E + e j / w) / (W + j) of j = 1 ... w sum to e + (E - e W / w) (H(W + w)
    - H(W)), where H are the harmonic numbers.
    """
    total, errors = images[:, -1], wrong[:, -1]
    harmonic = np.append(0.0, np.cumsum(1.0 / np.arange(1, int(total.max()) + 1)))
    ends = images.astype(np.int64)
    starts = np.pad(ends[:, :-1], ((0, 0), (1, 0)))
    before = np.pad(wrong[:, :-1], ((0, 0), (1, 0)))
    size, here = ends - starts, wrong - before
    share = divide(here, size, 0.0)
    area = (here + (before - share * starts) * (harmonic[ends] - harmonic[starts])).sum(axis=1) / total
    right = (total - errors).astype(np.int64)
    best = (errors - right * (harmonic[total.astype(np.int64)] - harmonic[right])) / total
    return np.stack([area, area - best, errors / total], axis=1)
