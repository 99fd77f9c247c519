"""The table of pooled metrics and means over folds of a cross-validation."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.evaluation.evaluation import Evaluation
from breastcls.evaluation.sections.folds_section import BELOW_CHANCE, is_below_chance
from breastcls.experiments.fold_scores import fold_values
from breastcls.intervals.score_tables import wide_score
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.predictions import Predictions

FOLD_METRICS = ("accuracy", "balanced_accuracy", "roc_auc")


def tabulate_folds(evaluation: Evaluation, predictions: Predictions, fold_of: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Return the metrics of the pooled predictions by image and by case, beside the means over folds.

    Args:
        evaluation: Of the pooled predictions.
        predictions: The same, by image.
        fold_of: int64 (n,), the fold of each image.

    Returns:
        Index `level`, `metric`; columns `pooled`, `pooled_low`, `pooled_high`, `pooled_reason`, `mean_over_folds`,
        `lowest` and `highest` of single folds, and `folds`, the number in which the metric is defined.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for level in ("image", "case"):
        if level not in evaluation["by_level"].index.unique("level"):
            continue
        aggregation = Aggregation("image") if level == "image" else Aggregation("case", mixed_labels="drop")
        for metric in FOLD_METRICS:
            values = fold_values(predictions, fold_of, metric, aggregation)
            values = values[np.isfinite(values)]
            score = evaluation["by_level"].loc[(level, metric), ["value", "low", "high", "reason"]]
            parts = (values.mean(), values.min(), values.max()) if len(values) else (np.nan,) * 3
            over = dict(zip(("mean_over_folds", "lowest", "highest"), map(float, parts), strict=True))
            rows[level, metric] = {**wide_score("pooled", score), **over, "folds": len(values)}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(list(rows), names=["level", "metric"])
    return table


def with_folds(evaluation: Evaluation, predictions: Predictions, fold_of: npt.NDArray[np.int64]) -> Evaluation:
    """Return the evaluation with the section of means over folds, and what a score below chance means."""
    table = tabulate_folds(evaluation, predictions, fold_of)
    whole = evaluation.with_sections(folds=table)
    if not is_below_chance(table):
        return whole
    return dataclasses.replace(whole, general_limitations=(*whole.general_limitations, BELOW_CHANCE))
