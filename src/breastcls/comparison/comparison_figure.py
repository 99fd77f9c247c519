"""A metric of several models, and its differences, as a forest plot."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from breastcls.argument_checks import check_choice
from breastcls.drawing.forest_figure import ForestPanel, ForestRow, plot_forest
from breastcls.errors import EvaluationError
from breastcls.metrics.metric_descriptions import describe_metric, metric_title
from breastcls.metrics.number_format import format_estimate


def plot_comparison(scores: pd.DataFrame, differences: pd.DataFrame, metric: str, confidence: float) -> Figure:
    """Draw a metric of each model, and below it the difference of each pair.

    Args:
        scores: `Comparison.scores`.
        differences: `Comparison.differences`.
        metric: The metric.
        confidence: Of the confidence intervals.

    Raises:
        EvaluationError: If there is no such metric.
    """
    known = list(dict.fromkeys(scores.index.get_level_values("metric")))
    check_choice("metric", metric, known, error=EvaluationError)
    name, percent = describe_metric(metric).short, f"{100 * confidence:g}%"
    of_models: pd.DataFrame = scores.loc[scores.index.get_level_values("metric") == metric].droplevel("metric")
    of_pairs: pd.DataFrame = differences.loc[differences.index.get_level_values("metric") == metric].droplevel("metric")
    several = len(of_pairs) > 1
    ends = ("low_adjusted", "high_adjusted") if several else ("low", "high")
    pairs = [
        _row(f"{first} − {second}", row, "difference", ends)
        for (first, second), row in zip(of_pairs.index, of_pairs.to_dict("records"), strict=True)
    ]
    models = [
        _row(str(model), row, "value", ("low", "high"))
        for model, row in zip(of_models.index, of_models.to_dict("records"), strict=True)
    ]
    interval = f"{percent} CI over cases" + (f", corrected for {len(of_pairs)} pairs" if several else "")
    return plot_forest(
        [
            ForestPanel("Models", f"{name}, {percent} CI over cases", models),
            ForestPanel("Differences", f"Difference of {metric_title(metric)}, {interval}", pairs, line=0.0),
        ]
    )


def _row(label: str, row: Any, value: str, ends: tuple[str, str]) -> ForestRow:
    low, high = row[ends[0]], row[ends[1]]
    return ForestRow(label, row[value], low, high, format_estimate(row[value], low, high))
