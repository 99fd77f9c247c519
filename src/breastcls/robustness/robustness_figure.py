"""Scores against the strength of what was done to the images, as figures for papers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from breastcls.drawing.figures import BASELINE, MODEL, TWO_COLUMNS, drawing_style, new_figure
from breastcls.errors import EvaluationError
from breastcls.metrics.metric_descriptions import describe_metric

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation

_COLUMNS = 3


def plot_robustness(evaluation: Evaluation, metric: str | None = None) -> Figure:
    """Draw the attached scores of altered images against the strength, one panel a perturbation.

    Args:
        evaluation: With `robustness` attached by `with_sections`.
        metric: One of its metrics; the last one of the table if None.

    Raises:
        EvaluationError: If none is attached, or the metric was not measured.
    """
    table = evaluation.robustness
    if table is None:
        raise EvaluationError(
            "This evaluation holds no robustness to draw: attach it with "
            "`with_sections(robustness=measure_robustness(model, test))`."
        )
    return plot_strengths(table, choose_metric(table, metric))


def choose_metric(table: pd.DataFrame, metric: str | None) -> str:
    """Return a metric of a table of strengths, the last one if None.

    Raises:
        EvaluationError: If the metric was not measured.
    """
    measured: list[str] = table["metric"].unique().tolist()
    if metric is not None and metric not in measured:
        raise EvaluationError(f"The metric {metric!r} was not measured; there are {', '.join(measured)}.")
    return metric or measured[-1]


def plot_strengths(table: pd.DataFrame, metric: str) -> Figure:
    """Draw one metric against the strength, one panel a perturbation, with the band of its interval.

    Args:
        table: `Robustness.table`.
        metric: One of its metrics.

    Returns:
        The figure; a dashed line marks the score of the images as they are.
    """
    chosen = table[table["metric"] == metric]
    groups = list(chosen.groupby("perturbation", sort=False))
    columns = min(_COLUMNS, len(groups))
    rows = math.ceil(len(groups) / columns)
    words = describe_metric(metric)
    with drawing_style():
        figure = new_figure(TWO_COLUMNS * max(columns, 2) / _COLUMNS, 55.0 * rows)
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes, (name, lines) in zip(panels, groups, strict=False):
            ordered = lines.sort_values("strength")
            axes.grid(axis="y")
            axes.fill_between(
                ordered["strength"], ordered["low"], ordered["high"], color=MODEL, alpha=0.15, linewidth=0
            )
            axes.plot(ordered["strength"], ordered["value"], color=MODEL, marker="o", markersize=3)
            clean = ordered.loc[ordered["strength"] == 0, "value"]
            for value in clean:
                axes.axhline(value, color=BASELINE, linestyle="--", linewidth=0.8)
            axes.set_title(str(name))
            unit = str(ordered["unit"].iloc[0]) if "unit" in ordered else "Strength"
            axes.set_xlabel(unit.replace(", ", ",\n", 1))
        for axes in panels[len(groups) :]:
            axes.remove()
        for axes in panels[:: columns or 1]:
            axes.set_ylabel(words.short)
        return figure
