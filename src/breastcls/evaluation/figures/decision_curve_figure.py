"""The decision curve as a figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from breastcls.drawing.figures import MODEL, MUTED, drawing_style, figure_of, new_axes
from breastcls.evaluation.figures.figure_text import FigureText, in_percent
from breastcls.metrics.number_format import format_number


def plot_decision_curve(
    table: pd.DataFrame, *, positive: str, confidence: float = 0.95, axes: Axes | None = None
) -> Figure:
    """Draw net benefit against the threshold probability, of the model, of treating all and of treating none.

    Args:
        table: What `breastcls.decisions.decision_curve` returns.
        positive: The positive class.
        confidence: The confidence of the band.
        axes: Where to draw; a new square figure of 85 mm if None.

    Returns:
        The figure.
    """
    with drawing_style():
        axes = new_axes(axes)
        axes.fill_between(table.index, table["low"], table["high"], color=MODEL, alpha=0.16, linewidth=0)
        axes.plot(table.index, table["model"], color=MODEL, label=f"model, {in_percent(confidence)} band")
        label = f"all predicted {positive}"
        axes.plot(table.index, table["all"], color=MUTED, linestyle="--", linewidth=0.9, label=label)
        axes.axhline(0, color=MUTED, linestyle=":", linewidth=0.9, label=f"none predicted {positive}")
        top = max(float(np.nanmax(table[["model", "all", "high"]].to_numpy(np.float64))), 0.05)
        # The net benefit of treating all falls without bound; far below zero it is of no interest. The legend is
        # above the curves.
        axes.set(
            xlim=(0, 1),
            ylim=(-0.25 * top, 1.3 * top),
            xlabel="Threshold probability",
            ylabel="Net benefit",
            title="Decision curve",
        )
        axes.grid()
        axes.set_box_aspect(1)
        axes.legend(loc="upper right")
        return figure_of(axes)


def describe_decision_curve(
    table: pd.DataFrame, *, positive: str, confidence: float, unit: str = "image"
) -> FigureText:
    """Return the alternative text and the caption of `plot_decision_curve`."""
    useful = table.index.to_numpy(np.float64)[(table["model"] > table["all"]) & (table["model"] > 0)]
    words = f"from {format_number(useful.min(), 2)} to {format_number(useful.max(), 2)}" if len(useful) else "at none"
    return FigureText(
        f"Net benefit against the threshold probability. The model is above both predicting {positive} for every "
        f"{unit} and for none at threshold probabilities {words}.",
        f"True positives minus false positives weighted by the odds of the threshold probability, per {unit}, with a "
        f"{in_percent(confidence)} confidence band over cases. The model is useful where it is above both other lines.",
    )
