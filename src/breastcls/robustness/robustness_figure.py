"""Metrics against the strength of a perturbation, as figures."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from breastcls.drawing.figures import (
    BASELINE,
    CLASS_COLOURS,
    LINE_STYLES,
    MODEL,
    TWO_COLUMNS,
    drawing_style,
    figure_of,
    new_axes,
    new_figure,
)
from breastcls.errors import EvaluationError
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_number

_COLUMNS = 3
MOST_TICKS = 6


def choose_metric(table: pd.DataFrame, metric: str | None) -> str:
    """Return a metric of a table of strengths, the last one if None.

    Raises:
        EvaluationError: If the metric was not measured.
    """
    measured: list[str] = table["metric"].unique().tolist()
    if metric is not None and metric not in measured:
        raise EvaluationError(f"The metric {metric!r} was not measured; expected one of {', '.join(measured)}.")
    return metric or measured[-1]


def plot_strengths(table: pd.DataFrame, metric: str) -> Figure:
    """Draw one metric against the strength, one panel per perturbation, with confidence bands.

    Args:
        table: `Robustness.table`.
        metric: One of its metrics.

    Returns:
        The figure; a dashed line marks the value on the unperturbed images.
    """
    groups = list(table[table["metric"] == metric].groupby("perturbation", sort=False))
    columns = min(_COLUMNS, len(groups))
    rows = math.ceil(len(groups) / columns)
    with drawing_style():
        figure = new_figure(TWO_COLUMNS * max(columns, 2) / _COLUMNS, 55.0 * rows)
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes, (_, lines) in zip(panels, groups, strict=False):
            plot_perturbation(lines, axes=axes)
            axes.set_ylabel("")
        for axes in panels[len(groups) :]:
            axes.remove()
        for axes in panels[::columns]:
            axes.set_ylabel(describe_metric(metric).short)
        return figure


def plot_perturbation(rows: pd.DataFrame, *, axes: Axes | None = None) -> Figure:
    """Draw the metrics against the strength of one perturbation, with confidence bands.

    Args:
        rows: The rows of one perturbation of `Robustness.table`, of one metric or several.
        axes: Where to draw; a new square figure of 85 mm if None.

    Returns:
        The figure. One metric: a dashed line marks its value on the unperturbed images.
    """
    metrics = list(rows.groupby("metric", sort=False))
    strengths = np.unique(rows["strength"].to_numpy(np.float64))
    with drawing_style():
        axes = new_axes(axes)
        axes.grid(axis="y")
        for number, (metric, lines) in enumerate(metrics):
            lines = lines.sort_values("strength")
            colour = CLASS_COLOURS[number % len(CLASS_COLOURS)] if len(metrics) > 1 else MODEL
            style = LINE_STYLES[number % len(LINE_STYLES)]
            axes.fill_between(lines["strength"], lines["low"], lines["high"], color=colour, alpha=0.15, linewidth=0)
            known = lines[lines["value"].notna()]
            label = describe_metric(str(metric)).short
            axes.plot(
                known["strength"], known["value"], color=colour, linestyle=style, marker="o", markersize=3, label=label
            )
        if len(metrics) == 1:
            for value in rows.loc[rows["strength"] == 0, "value"]:
                axes.axhline(value, color=BASELINE, linestyle="--", linewidth=0.8)
            axes.set_ylabel(describe_metric(str(metrics[0][0])).short)
        else:
            lowest = float(np.nanmin([0.0, *rows["low"], *rows["value"]]))
            axes.set(ylim=(lowest, 1.02), ylabel="Value")
            axes.legend(loc="lower left")
        if len(strengths) <= MOST_TICKS:
            axes.set_xticks(strengths, [f"{value:g}".replace("-", "−") for value in strengths])
        axes.set_title(_title(rows))
        unit = str(rows["unit"].iloc[0]) if "unit" in rows else "Strength"
        axes.set_xlabel(unit.replace(", ", ",\n", 1))
        return figure_of(axes)


def describe_perturbation(rows: pd.DataFrame) -> str:
    """Return the alternative text of `plot_perturbation`."""
    words = []
    for metric, lines in rows.groupby("metric", sort=False):
        points = lines.sort_values("strength")[["strength", "value"]].to_numpy(np.float64)
        first, last = points[0], points[-1]
        words.append(
            f"{describe_metric(str(metric)).short} is {format_number(first[1])} at {first[0]:g} and "
            f"{format_number(last[1])} at {last[0]:g}."
        )
    return f"Metrics against the strength of {_title(rows).lower()}. {' '.join(words)}"


def _title(rows: pd.DataFrame) -> str:
    name = str(rows["perturbation"].iloc[0]).replace("_", " ").replace("-", " ")
    return name[:1].upper() + name[1:]
