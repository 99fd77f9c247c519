"""A forest plot: values with their confidence intervals, one row each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from breastcls.drawing.figures import BASELINE, INK, MODEL, MUTED, TWO_COLUMNS, drawing_style, new_figure

# Millimetres: of a row, and of what is above and below the rows.
_ROW, _AROUND = 6.0, 22.0


@dataclass(frozen=True)
class ForestRow:
    """One row of a forest plot.

    Attributes:
        label: What the value is of.
        value: The value; NaN where it is not defined.
        low: Lower bound of its confidence interval; NaN where there is none.
        high: Upper bound.
        text: The numbers, written at the right.
        points: Further values without intervals, such as those of single folds.
        reference: Whether the row is of a baseline, which has another colour.
    """

    label: str
    value: float
    low: float = math.nan
    high: float = math.nan
    text: str = ""
    points: Sequence[float] = ()
    reference: bool = False


@dataclass(frozen=True)
class ForestPanel:
    """Rows that share an axis.

    Attributes:
        title: Above the panel.
        x_name: Name of the axis, with the meaning of the interval.
        rows: From top to bottom.
        line: Where a vertical line is drawn, such as 0 for a difference; None for no line.
    """

    title: str
    x_name: str
    rows: Sequence[ForestRow]
    line: float | None = None


def plot_forest(panels: Sequence[ForestPanel]) -> Figure:
    """Draw panels of values with confidence intervals, one below the other.

    Args:
        panels: At least one.

    Returns:
        The figure, 174 mm wide. A value without a confidence interval is a hollow point; one that is not defined is
        left out, and its text remains.
    """
    heights = [_ROW * len(panel.rows) + _AROUND for panel in panels]
    with drawing_style():
        figure = new_figure(TWO_COLUMNS, sum(heights))
        for axes, panel in zip(_stack(figure, heights), panels, strict=True):
            _draw_panel(axes, panel)
        return figure


def _stack(figure: Figure, heights: Sequence[float]) -> list[Axes]:
    axes: Any = figure.subplots(len(heights), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    return list(axes[:, 0])


def _draw_panel(axes: Axes, panel: ForestPanel) -> None:
    if panel.line is not None:
        axes.axvline(panel.line, color=MUTED, linestyle=":", linewidth=0.9)
    for place, row in enumerate(panel.rows):
        colour = BASELINE if row.reference else MODEL
        axes.plot(list(row.points), [place] * len(row.points), "|", color=MUTED, markersize=7, markeredgewidth=1.0)
        bounded = math.isfinite(row.low) and math.isfinite(row.high)
        if bounded:
            axes.plot([row.low, row.high], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
        if math.isfinite(row.value):
            face = colour if bounded else "white"
            axes.plot([row.value], [place], "o", color=colour, markerfacecolor=face, markersize=5)
        axes.text(1.02, place, row.text, transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=INK)
    axes.set_yticks(range(len(panel.rows)), [row.label for row in panel.rows])
    axes.set_ylim(len(panel.rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.margins(x=0.06)
    axes.set(xlabel=panel.x_name, title=panel.title)
