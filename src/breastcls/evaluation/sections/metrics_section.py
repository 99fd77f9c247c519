"""All metrics at the level that is scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from breastcls.evaluation.evaluation_context import EvaluationContext
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.figures.figure_text import FigureText
from breastcls.evaluation.report.blocks import Column, Table
from breastcls.evaluation.report.table_cells import score_cell, text_cell
from breastcls.evaluation.section import Section, SectionFigure
from breastcls.evaluation.table_schema import exact_table_schema
from breastcls.intervals.score_tables import score_with_classes
from breastcls.intervals.score_values import UNDEFINED, read_levels, read_scores
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# BreakHis protocol: another name of the accuracy.
_SAME_AS_ACCURACY = "image_recognition_rate"
_INTERVAL_OVER_CASES = (
    "Confidence interval over cases",
    "Images of one case resemble each other, so their number overstates the amount of independent information. Whole "
    "cases are resampled with replacement, and the interval is the central part of the results. Few cases give a wide "
    "interval.",
)


def compute_with_classes(context: EvaluationContext) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all metrics, and those of each class: they share the resamples."""
    return context.compute_once(
        "scores", lambda: score_with_classes(context.scored, context.statistics, context.bootstrap)
    )


def _text(metrics: pd.DataFrame, evaluation: EvaluationData) -> list[str]:
    lines = [f"{'':<28}{'value':>7}   {evaluation.percent + ' CI':<16}"]
    for name, row in metrics.iterrows():
        value = "-" if np.isnan(row["value"]) else f"{row['value']:.3f}"
        interval = "-" if np.isnan(row["value"]) else format_interval(row["low"], row["high"])
        lines.append(f"  {name!s:<26}{value:>7}   {interval}")
    return lines


def metrics_table(metrics: pd.DataFrame, evaluation: EvaluationData) -> Table:
    """Return all metrics with their confidence intervals, at each level that is known."""
    by_level = evaluation.value_of("by_level")
    levels = {} if by_level is None else read_levels(by_level)
    levels = {**levels, evaluation.unit: read_scores(metrics)}
    rows = []
    for name in shown_metrics(metrics):
        cells = [score_cell(scores.get(name, UNDEFINED)) for scores in levels.values()]
        rows.append((text_cell(name_metric(name, metrics)), *cells))
    columns = (Column("Metric", "text"), *(Column(f"By {level}", "number") for level in levels))
    return Table(_caption(evaluation, list(levels)), columns, tuple(rows))


def _caption(evaluation: EvaluationData, levels: list[str]) -> str:
    classes = evaluation.classes
    sentences = [f"All metrics, with {evaluation.percent} confidence intervals over cases."]
    if len(levels) > 1:
        method = evaluation.settings["aggregation"]["method"] or "mean"
        sentences.append(f"By {' and by '.join(levels[1:])} the images are aggregated by {method}.")
    sentences.append(
        f"Precision, recall, specificity, F1 and average precision are those of {classes[-1]}."
        if len(classes) == 2
        else "Metrics of single classes are averaged over the classes, each of the same weight."
    )
    return " ".join(sentences)


def shown_metrics(metrics: pd.DataFrame) -> list[str]:
    """Return the metrics that the report shows: without the image recognition rate, which is the accuracy."""
    names = [str(name) for name in metrics.index]
    return [name for name in names if name != _SAME_AS_ACCURACY or "accuracy" not in names]


def name_metric(name: str, metrics: pd.DataFrame) -> str:
    """Return the name of a metric in the tables of the report, both names of the accuracy."""
    words = describe_metric(name).name
    both = name == "accuracy" and _SAME_AS_ACCURACY in metrics.index
    return f"{words} ({describe_metric(_SAME_AS_ACCURACY).name.lower()})" if both else words


def _draw(metrics: pd.DataFrame, evaluation: EvaluationData, axes: Axes | None) -> Figure:
    from breastcls.evaluation.figures.metrics_figure import plot_metrics

    baseline = evaluation.value_of("colour_baseline")
    return plot_metrics(metrics, baseline=baseline, confidence=evaluation.confidence, axes=axes)


def _describe(metrics: pd.DataFrame, evaluation: EvaluationData) -> FigureText:
    from breastcls.evaluation.figures.metrics_figure import describe_metrics

    baseline = evaluation.value_of("colour_baseline")
    return describe_metrics(metrics, baseline=baseline, confidence=evaluation.confidence)


SECTION = Section(
    name="metrics",
    title="Metrics",
    description="One row per metric, with its confidence interval over cases.",
    always=True,
    compute=lambda context: compute_with_classes(context)[0],
    columns=("value", "low", "high", "reason"),
    schema=exact_table_schema("value", "low", "high", "reason"),
    text=_text,
    figures=(SectionFigure("metrics", _draw, _describe, height=105.0),),
    report=lambda metrics, evaluation: [metrics_table(metrics, evaluation)],
    glossary=(_INTERVAL_OVER_CASES,),
)
