"""The distribution of the predicted probability in each class: as a histogram, and cumulative."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from breastcls.drawing.figures import (
    CLASS_COLOURS,
    LINE_STYLES,
    MUTED,
    drawing_style,
    figure_of,
    legend_below,
    new_axes,
)
from breastcls.evaluation.figures.figure_text import FigureText
from breastcls.metrics.number_format import format_number


def plot_risk_histogram(
    table: pd.DataFrame, *, positive: str | None, threshold: float | None = None, axes: Axes | None = None
) -> Figure:
    """Draw the histogram of the predicted probability, one series per group.

    Args:
        table: One row per group and bin, columns `group`, `lower`, `upper` and `share` of the group.
        positive: The class of the probabilities, whose groups are the classes; None where the groups are the correct
            and the wrong predictions.
        threshold: The decision threshold, drawn as a line.
        axes: Where to draw; a new square figure of 85 mm if None.

    Returns:
        The figure.
    """
    groups = list(table.groupby("group", sort=False))
    with drawing_style():
        axes = new_axes(axes)
        for number, (name, rows) in enumerate(groups):
            width = (rows["upper"] - rows["lower"]) / len(groups)
            axes.bar(
                rows["lower"] + number * width,
                rows["share"],
                width,
                align="edge",
                color=CLASS_COLOURS[number % len(CLASS_COLOURS)],
                alpha=0.85,
                label=str(name),
            )
        _finish(axes, positive, threshold)
        highest = float(table["share"].max())
        axes.set(
            ylim=(0, 1.05 * highest if highest > 0 else 1),
            ylabel=f"Share of the {'class' if positive else 'predictions'}",
            title="Predicted risk" if positive else "Predicted probability",
        )
        _add_legend(axes)
        return figure_of(axes)


def describe_risk_histogram(table: pd.DataFrame, *, positive: str | None, unit: str = "image") -> FigureText:
    """Return the alternative text and the caption of `plot_risk_histogram`."""
    return FigureText(
        f"Histogram of the predicted probability. {_spread(table)}",
        f"Distribution of the predicted risk over the {unit}s of each class."
        if positive
        else "Distribution of the probability of the predicted class over correct and wrong predictions.",
    )


def plot_cumulative_risk(
    table: pd.DataFrame, *, positive: str | None, threshold: float | None = None, axes: Axes | None = None
) -> Figure:
    """Draw the cumulative distribution of the predicted probability, with confidence bands over cases.

    Args:
        table: One row per group and bin, columns `group`, `upper`, `cumulative`, `low`, `high`.
        positive: As in `plot_risk_histogram`.
        threshold: The decision threshold, drawn as a line.
        axes: Where to draw; a new square figure of 85 mm if None.

    Returns:
        The figure.
    """
    with drawing_style():
        axes = new_axes(axes)
        for number, (name, rows) in enumerate(table.groupby("group", sort=False)):
            across, up, low, high = (
                np.concatenate([[0.0], rows[column].to_numpy(np.float64)])
                for column in ("upper", "cumulative", "low", "high")
            )
            colour, style = CLASS_COLOURS[number % len(CLASS_COLOURS)], LINE_STYLES[number % len(LINE_STYLES)]
            axes.fill_between(across, low, high, color=colour, alpha=0.16, linewidth=0)
            axes.plot(across, up, color=colour, linestyle=style, label=str(name))
        _finish(axes, positive, threshold)
        axes.set(
            ylim=(-0.01, 1.01),
            ylabel=f"Cumulative share of the {'class' if positive else 'predictions'}",
            title="Cumulative risk" if positive else "Cumulative probability",
        )
        _add_legend(axes)
        return figure_of(axes)


def _finish(axes: Axes, positive: str | None, threshold: float | None) -> None:
    if threshold is not None and 0 <= threshold <= 1:
        label = f"threshold {format_number(threshold, 2)}"
        axes.axvline(threshold, color=MUTED, linestyle=":", linewidth=0.9, label=label)
    axes.grid()
    axes.set(
        xlim=(-0.01, 1.01),
        xlabel=f"Predicted probability of {positive}" if positive else "Probability of the predicted class",
    )
    axes.set_box_aspect(1)


def _add_legend(axes: Axes) -> None:
    names = axes.get_legend_handles_labels()[1]
    # Long names of classes side by side would be wider than the figure.
    legend_below(axes, len(names) if sum(map(len, names)) <= 36 else 1)


def _spread(table: pd.DataFrame) -> str:
    parts = []
    for name, rows in table.groupby("group", sort=False):
        below = rows.loc[rows["upper"] <= 0.5 + 1e-9, "share"].sum()
        parts.append(f"{name}: {100 * below:.0f}% below 0.5, {100 * (1 - below):.0f}% from 0.5 on.")
    return " ".join(parts)
