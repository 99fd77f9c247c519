"""All metrics at the level that is scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from breastcls.evaluation.evaluation_context import EvaluationContext
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.figures.figure_text import FigureText
from breastcls.evaluation.report.blocks import Cell, Column, Table
from breastcls.evaluation.report.table_cells import interval_cell, value_cell
from breastcls.evaluation.section import Section, SectionFigure
from breastcls.evaluation.table_schema import exact_table_schema
from breastcls.intervals.score_tables import score
from breastcls.intervals.score_values import read_scores
from breastcls.metrics.metric_descriptions import describe_metric, upper_end
from breastcls.metrics.number_format import format_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INTERVAL_OVER_CASES = (
    "Confidence interval over cases",
    "Images of one case resemble each other, so their number overstates how much is known. Whole cases are resampled "
    "with replacement, and the interval holds the middle share of the results that the confidence names. Few cases "
    "give a wide interval.",
)


def _compute(context: EvaluationContext) -> pd.DataFrame:
    return score(context.scored, context.statistics, context.bootstrap)


def _text(metrics: pd.DataFrame, evaluation: EvaluationData) -> list[str]:
    lines = [f"{'':<28}{'value':>7}   {evaluation.percent + ' CI':<16}"]
    for name, row in metrics.iterrows():
        value = "-" if np.isnan(row["value"]) else f"{row['value']:.3f}"
        interval = "-" if np.isnan(row["value"]) else format_interval(row["low"], row["high"])
        lines.append(f"  {name!s:<26}{value:>7}   {interval}")
    return lines


def metrics_table(metrics: pd.DataFrame, evaluation: EvaluationData) -> Table:
    """Return all metrics with confidence interval and meaning."""
    scores = read_scores(metrics)
    rows = []
    for name, score_of in scores.items():
        words = describe_metric(name)
        end = upper_end(name, len(evaluation.classes))
        # A loss has a scale of its own; the others end at 1.
        scale = "" if not words.is_loss else " Scale: no upper end." if end is None else f" Scale: 0 to {end:g}."
        title = Cell(words.name, words.name, (words.meaning + scale).strip())
        rows.append((title, value_cell(score_of), interval_cell(score_of)))
    subject = (
        f"“The class” is {evaluation.classes[-1]}."
        if len(evaluation.classes) == 2
        else "Metrics of single classes are averaged over the classes, each of the same weight."
    )
    columns = (
        Column("Metric", "text"),
        Column("Value", "number"),
        Column(f"{evaluation.percent} CI", "number"),
    )
    caption = f"All metrics by {evaluation.unit}, with {evaluation.percent} confidence intervals over cases. {subject}"
    return Table(caption, columns, tuple(rows))


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
    compute=_compute,
    columns=("value", "low", "high", "reason"),
    schema=exact_table_schema("value", "low", "high", "reason"),
    text=_text,
    figures=(SectionFigure("metrics", _draw, _describe, height=80.0),),
    report=lambda metrics, evaluation: [metrics_table(metrics, evaluation)],
    glossary=(_INTERVAL_OVER_CASES,),
)
