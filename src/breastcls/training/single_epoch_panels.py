"""Panels for a training without a course over epochs: the penalties of an exact head, and the values of one epoch."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from breastcls.drawing.figures import LINE, MODEL, MUTED
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_number


def metric_title(metric: str) -> str:
    """Return the title of a column of the training history, without the prefix `val_`.

    Example:
        >>> metric_title("case_balanced_accuracy")
        'Balanced accuracy over cases'
    """
    over_cases = metric.removeprefix("case_")
    return describe_metric(metric).name if over_cases == metric else f"{describe_metric(over_cases).name} over cases"


def draw_penalties(axes: Axes, exact_head: Mapping[str, Any]) -> None:
    """Draw the cross-validated log loss of each penalty, its standard error, and the chosen penalty.

    Args:
        axes: Where to draw.
        exact_head: From `run.config["exact_head"]`, with at least one score.
    """
    table = pd.DataFrame(exact_head["scores"])
    axes.grid(axis="y")
    axes.errorbar(
        table["c"],
        table["log_loss"],
        yerr=table["standard_error"],
        color=MODEL,
        marker="o",
        markersize=3,
        elinewidth=0.8,
        capsize=2,
        label="mean and standard error over cases",
    )
    axes.axvline(exact_head["c"], color=MUTED, linewidth=1.0, linestyle=":", label=f"chosen: C = {exact_head['c']:g}")
    axes.set_xscale("log")
    axes.set_title("Penalty of the head")
    axes.set_xlabel("C, the inverse of the penalty")
    axes.set_ylabel(f"Log loss, {exact_head['folds']}-fold over cases")
    axes.legend()


def draw_values(
    axes: Axes, row: pd.Series[Any], metrics: Sequence[str], exact_head: Mapping[str, Any] | None = None
) -> None:
    """Write the metrics of the only epoch of a training as a table.

    Args:
        axes: Where to write.
        row: The row of the epoch in the training history.
        metrics: The metrics without the prefix `val_`.
        exact_head: As in `draw_penalties`; None if the head was trained by an optimizer.
    """
    cells = [[metric_title(name), *(_value_text(row, column) for column in (name, f"val_{name}"))] for name in metrics]
    axes.set_axis_off()
    axes.set_title("Values after one epoch" if exact_head is None else "Values with the fitted head")
    height = 0.12 * (len(cells) + 1)
    table = axes.table(
        cells,
        colLabels=["Metric", "Training", "Validation"],
        colWidths=[0.56, 0.22, 0.22],
        colLoc="right",
        cellLoc="right",
        edges="horizontal",
        bbox=Bbox.from_bounds(0.0, 1.0 - height, 1.0, height),
    )
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    for (_, column), cell in table.get_celld().items():
        cell.set_edgecolor(LINE)
        cell.PAD = 0.02
        if column == 0:
            cell.set_text_props(ha="left")
    axes.text(0.0, 0.94 - height, textwrap.fill(_explain(exact_head), 52), va="top", color=MUTED)


def _value_text(row: pd.Series[Any], column: str) -> str:
    return format_number(float(row[column])) if column in row.index else "–"


def _explain(exact_head: Mapping[str, Any] | None) -> str:
    if exact_head is None:
        return "The training had one epoch, so that there is no curve over epochs."
    text = "The head was fitted exactly, in one step, so that there is no curve over epochs."
    if exact_head["folds"]:
        return text
    return f"{text} There were too few cases to choose C; {exact_head['c']:g} was assumed."
