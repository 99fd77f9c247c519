"""A cross-validation as a figure and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from breastcls.drawing.forest_figure import ForestPanel, ForestRow, plot_forest
from breastcls.drawing.html_figure import figure_to_html
from breastcls.drawing.result_page import PagePart, table_part
from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluation import Evaluation
from breastcls.experiments.cross_validation_tables import FOLDS_NOTE, cross_validation_rows
from breastcls.html_parts import html_list, html_paragraph
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_estimate


def plot_folds(evaluation: Evaluation, by_fold: pd.DataFrame, metrics: Sequence[str]) -> Figure:
    """Draw metrics of all cases with their confidence intervals, and those of single folds as ticks.

    Raises:
        EvaluationError: If a metric is not one of the evaluation.
    """
    table = evaluation.metrics
    unknown = [name for name in metrics if name not in table.index]
    if unknown:
        raise EvaluationError(f"There is no metric {unknown[0]!r}; expected some of {', '.join(table.index)}.")
    rows = []
    for name in metrics:
        value, low, high = table.loc[name, ["value", "low", "high"]]
        points = by_fold[name].dropna().tolist() if name in by_fold else []
        text = format_estimate(value, low, high)
        rows.append(ForestRow(describe_metric(name).short, float(value), float(low), float(high), text, points))
    axis = f"Point and line: all cases, {evaluation.percent} CI. Ticks: single folds"
    return plot_forest([ForestPanel("Cross-validation", axis, rows)])


def cross_validation_parts(result: Any, headline: str, figures: Sequence[Figure]) -> list[PagePart]:
    """Return the parts of the page of a cross-validation."""
    evaluation, by_fold = result.evaluation, result.by_fold
    texts = ("Metrics with confidence intervals, and single folds.", "Confusion matrix.", "ROC curve.")
    drawn = [str(figure_to_html(one, texts[number], key=f"f{number}")) for number, one in enumerate(figures)]
    metrics = cross_validation_rows("metrics", evaluation, by_fold)
    return [
        PagePart("", html_paragraph(headline)),
        PagePart("Metrics", drawn[0]),
        table_part("", metrics),
        table_part("Fold by fold", cross_validation_rows("by_fold", evaluation, by_fold)),
        PagePart("", html_paragraph(FOLDS_NOTE)),
        PagePart("All cases", "".join(drawn[1:])),
        PagePart("Limitations", html_list("", evaluation.limitations)),
    ]
