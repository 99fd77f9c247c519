"""A model compared with the colour-only baseline on the same images, slides or cases."""

from __future__ import annotations

import dataclasses

import pandas as pd

from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.paired_scores import score_against
from breastcls.intervals.score_tables import score
from breastcls.metrics.classification_metrics import METRICS
from breastcls.predictions.predictions import Predictions


def score_against_colour_baseline(
    scored: Predictions, by_colour: Predictions, bootstrap: Bootstrap
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score the colour-only baseline, and the difference of a model from it; both are scored on the same resamples.

    Args:
        scored: The model's predictions, at the level that is scored.
        by_colour: Those of the colour-only baseline, of the same images, slides or cases in the same order.
        bootstrap: How confidence intervals are computed.

    Returns:
        The metrics of the baseline, and those of the model minus these; index metric, columns `value`, `low`,
        `high`, `reason`.

    Raises:
        EvaluationError: If a true class is not known, or the predictions are not of the same images.
    """
    if scored.cases is None:
        scored = dataclasses.replace(scored, cases=by_colour.cases)
    changes = score_against(by_colour, [scored], METRICS, bootstrap)[0]
    columns = ["value", "low", "high", "reason"]
    difference = changes[["change", "change_low", "change_high", "change_reason"]].set_axis(columns, axis=1)
    return score(by_colour, CaseStatistics.of(by_colour), bootstrap), difference
