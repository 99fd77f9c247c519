"""The precision–recall curve as a figure."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from breastcls.drawing.figures import MUTED, drawing_style, figure_of, new_axes
from breastcls.evaluation.figures.curves import (
    class_names,
    describe_band,
    describe_value,
    draw_curves,
    draw_operating_point,
    finish_curves,
    name_classes,
    operating_point,
    read_curves,
    share_of_positives,
    write_metric,
)
from breastcls.evaluation.figures.figure_text import FigureText
from breastcls.metrics.number_format import format_number, is_defined


def plot_precision_recall(
    precision_recall: pd.DataFrame,
    *,
    confusion: pd.DataFrame,
    metrics: pd.DataFrame | None = None,
    axes: Axes | None = None,
) -> Figure:
    """Draw precision against recall, with a confidence band.

    Args:
        precision_recall: Columns `recall`, `precision`, `low`, `high`; one curve per value of the column `class` if
            there is one.
        confusion: One row per true class, one column per predicted class, named by the classes.
        metrics: A table with columns `value`, `low`, `high`, whose row `average_precision` is written into the figure.
        axes: Where to draw; a new square figure of 85 mm if None.

    Returns:
        The figure. Two classes: one curve, the precision of chance and the operating point. More: one curve per
        class, without bands.
    """
    with drawing_style():
        axes = new_axes(axes)
        share = share_of_positives(confusion)
        if is_defined(share):
            axes.axhline(share, color=MUTED, linestyle=":", linewidth=0.9, label="chance")
        draw_curves(axes, read_curves(precision_recall, class_names(confusion), "recall", "precision"))
        point = operating_point(confusion)
        if point:
            draw_operating_point(axes, point.sensitivity, point.precision)
        finish_curves(axes, "Recall (sensitivity)", "Precision", "Precision–recall curve", "lower left")
        if len(confusion) == 2:
            write_metric(axes, metrics, "average_precision")
        return figure_of(axes)


def describe_precision_recall(
    precision_recall: pd.DataFrame, *, confusion: pd.DataFrame, metrics: pd.DataFrame, confidence: float
) -> FigureText:
    """Return the alternative text and the caption of `plot_precision_recall`."""
    curves = read_curves(precision_recall, class_names(confusion), "recall", "precision")
    parts = [
        f"Precision–recall curve of {name_classes(curves)}.",
        describe_value(metrics, "average_precision", confidence),
    ]
    share = share_of_positives(confusion)
    if is_defined(share):
        parts.append(f"Chance reaches a precision of {format_number(share)}.")
    point = operating_point(confusion)
    if point and is_defined(point.sensitivity) and is_defined(point.precision):
        parts.append(
            f"The operating point has a precision of {format_number(point.precision)} at a recall of "
            f"{format_number(point.sensitivity)}."
        )
    caption = (
        "Precision against recall at every threshold." + describe_band(curves, confidence)
        if len(confusion) == 2
        else "Each class against the rest, at every threshold."
    )
    return FigureText(" ".join(part for part in parts if part), caption)
