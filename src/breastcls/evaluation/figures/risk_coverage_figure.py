"""The risk-coverage curve as a figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from breastcls.drawing.figures import MODEL, MUTED, drawing_style, figure_of, new_axes
from breastcls.evaluation.figures.figure_text import FigureText, in_percent
from breastcls.metrics.number_format import format_number


def plot_risk_coverage(
    table: pd.DataFrame, *, unit: str = "image", confidence: float = 0.95, axes: Axes | None = None
) -> Figure:
    """Draw the error rate among the predictions kept against the share kept, with a confidence band over cases.

    Args:
        table: Columns `coverage`, `risk`, `low`, `high`, in any order of rows.
        unit: What was scored: "image", "slide" or "case".
        confidence: The confidence of the band.
        axes: Where to draw; a new square figure of 85 mm if None.

    Returns:
        The figure.
    """
    table = table.sort_values("coverage")
    with drawing_style():
        axes = new_axes(axes)
        axes.fill_between(table["coverage"], table["low"], table["high"], color=MODEL, alpha=0.16, linewidth=0)
        label = f"least certain rejected, {in_percent(confidence)} band"
        axes.plot(table["coverage"], table["risk"], color=MODEL, label=label)
        if table["coverage"].iloc[-1] == 1:
            # Rejection at random removes correct and wrong predictions in proportion.
            whole = table["risk"].iloc[-1]
            axes.axhline(whole, color=MUTED, linestyle=":", linewidth=0.9, label="rejected at random")
        top = float(np.nanmax(table[["risk", "high"]].to_numpy(np.float64)))
        axes.grid()
        axes.set(
            xlim=(-0.01, 1.01),
            ylim=(0, 1.25 * max(top, 0.05)),
            xlabel=f"Coverage: share of the {unit}s predicted",
            ylabel="Risk: error rate among them",
            title="Risk-coverage curve",
        )
        axes.set_box_aspect(1)
        axes.legend(loc="upper left")
        return figure_of(axes)


def describe_risk_coverage(table: pd.DataFrame, *, unit: str = "image", confidence: float) -> FigureText:
    """Return the alternative text and the caption of `plot_risk_coverage`."""
    table = table.sort_values("coverage")
    at, risk = (table[column].to_numpy(np.float64) for column in ("coverage", "risk"))
    return FigureText(
        f"Error rate against the share of {unit}s predicted: {format_number(risk[-1])} at a coverage of "
        f"{format_number(at[-1], 2)}, {format_number(risk[0])} at the lowest coverage of {format_number(at[0], 2)}.",
        f"The least certain {unit}s are rejected first. A curve that falls to the left means that the uncertainty of "
        f"the model ranks its errors. The band is the {in_percent(confidence)} confidence band over cases.",
    )
