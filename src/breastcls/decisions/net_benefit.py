"""Net benefit and decision curves.

Net benefit: Vickers & Elkin 2006, DOI 10.1177/0272989X06295361. At a threshold probability t a false negative
weighs as much as (1 - t) / t false positives; net benefit is the number of true positives minus that of false positives
with this weight, per image. A model is useful at t where it is above both reference strategies: all images positive,
and no image positive (0).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from breastcls.decisions.threshold_rates import Floats, ThresholdRates
from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.few_case_support import warn_few_cases
from breastcls.intervals.minimum_cases import FEW_CASES, NO_VARIATION, Bounds
from breastcls.intervals.printed_table import PrintedTable
from breastcls.intervals.proportion_bounds import interval_at_cases
from breastcls.predictions.array_arguments import check_share
from breastcls.predictions.predictions import Predictions

THRESHOLDS = tuple(np.linspace(0.01, 0.99, 99).round(2).tolist())


def decision_curve(
    predictions: Predictions,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    prevalence: float | None = None,
    bootstrap: Bootstrap | None = None,
) -> pd.DataFrame:
    """Return net benefit over threshold probabilities, with a confidence band over cases.

    Args:
        predictions: Of two classes, with known classes and calibrated probabilities: a threshold is a probability.
        thresholds: Threshold probabilities within 0..1.
        prevalence: Fraction of positives where the model will be used, in 0..1; default: that of the predictions, which
            in a research collection usually differs from that of a clinic.
        bootstrap: How the confidence band is computed; default: 2000 resamples, 95%, expanded percentile.

    Returns:
        One row per threshold, columns `model`, `low`, `high`, `all`, `none`.

    Raises:
        EvaluationError: If there are not two classes, both present, a threshold is not between 0 and 1, or the
            prevalence is not in 0..1.

    Warns:
        EvaluationWarning: If a class has fewer than five cases.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.9, 0.6, 0.4, 0.1], labels=[1, 0, 1, 0], classes=("no", "yes"))
        >>> decision_curve(some, thresholds=[0.5]).round(3)[["model", "all", "none"]].to_numpy().tolist()
        [[0.0, 0.0, 0.0]]
    """
    at = np.asarray(thresholds, dtype=np.float64)
    if at.ndim != 1 or at.size == 0 or (at <= 0).any() or (at >= 1).any():
        raise EvaluationError(f"`thresholds` must lie between 0 and 1; found {at.tolist()[:5]}.")
    check_share(prevalence, "prevalence")
    rates = ThresholdRates(predictions, at)
    odds = at / (1 - at)

    def measure(weights: Floats) -> Floats:
        sensitivity, specificity, share = rates.measure(weights)
        share = share if prevalence is None else np.full_like(share, prevalence)
        return sensitivity * share[:, None] - (1 - specificity) * (1 - share[:, None]) * odds

    bootstrap = bootstrap or Bootstrap()
    share = float(predictions.labels.mean()) if prevalence is None else prevalence
    bounds = bootstrap.intervals(measure, rates.strata, rates.cases.min())
    value = measure(np.ones((1, len(rates.strata))))[0]
    bounds = _bound_net_benefit(bounds, value, rates, (share, (1 - share) * odds), bootstrap.confidence)
    table = PrintedTable(
        {
            "model": value,
            **bounds._asdict(),
            "all": share - (1 - share) * odds,
            "none": 0.0,
        },
        index=pd.Index(at, name="threshold"),
    )
    table.attrs["limitations"] = warn_few_cases(predictions, "The net benefit")
    return table


def _bound_net_benefit(
    bounds: Bounds, value: Floats, rates: ThresholdRates, weights: tuple[float, Floats], confidence: float
) -> Bounds:
    """Return bounds of the net benefit no narrower than Wilson's intervals of both rates, where few cases vary.

    The weights are those of the sensitivity and of the false positive rate; the distances add up by MOVER (Zou & Donner
    2008, DOI 10.1002/sim.3095).
    """
    (low_1, high_1, one), (low_2, high_2, two) = (
        (*interval_at_cases(rate.successes, rate.trials, rate.cases, confidence), rate.successes / rate.trials)
        for rate in rates.proportions
    )
    below = np.hypot(weights[0] * (one - low_1), weights[1] * (two - low_2))
    above = np.hypot(weights[0] * (high_1 - one), weights[1] * (high_2 - two))
    ends = value - below, value + above
    few = np.minimum(*(rate.varying for rate in rates.proportions)) < FEW_CASES
    return bounds.replace(bounds.reason == NO_VARIATION, *ends).widen(few, *ends)
