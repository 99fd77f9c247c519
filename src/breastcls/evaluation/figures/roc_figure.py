"""The ROC curve as a figure."""

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
    write_metric,
)
from breastcls.evaluation.figures.figure_text import FigureText
from breastcls.metrics.number_format import format_number, is_defined


def plot_roc(
    roc: pd.DataFrame, *, confusion: pd.DataFrame, metrics: pd.DataFrame | None = None, axes: Axes | None = None
) -> Figure:
    """Draw sensitivity against the false positive rate, with a confidence band.

    Args:
        roc: Columns `fpr`, `tpr`, `low`, `high`; one curve per value of the column `class` if there is one.
        confusion: One row per true class, one column per predicted class, named by the classes.
        metrics: A table with columns `value`, `low`, `high`, whose row `roc_auc` is written into the figure.
        axes: Where to draw; a new square figure of 85 mm if None.

    Returns:
        The figure. Two classes: one curve and the operating point. More: one curve per class against the rest,
        without bands.
    """
    with drawing_style():
        axes = new_axes(axes)
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=0.9, label="chance")
        draw_curves(axes, read_curves(roc, class_names(confusion), "fpr", "tpr"))
        point = operating_point(confusion)
        if point:
            draw_operating_point(axes, point.false_positive_rate, point.sensitivity)
        finish_curves(axes, "False positive rate (1 − specificity)", "Sensitivity", "ROC curve", "lower right")
        if len(confusion) == 2:
            write_metric(axes, metrics, "roc_auc")
        return figure_of(axes)


def describe_roc(roc: pd.DataFrame, *, confusion: pd.DataFrame, metrics: pd.DataFrame, confidence: float) -> FigureText:
    """Return the alternative text and the caption of `plot_roc`."""
    curves = read_curves(roc, class_names(confusion), "fpr", "tpr")
    parts = [f"ROC curve of {name_classes(curves)}.", describe_value(metrics, "roc_auc", confidence)]
    point = operating_point(confusion)
    if point and is_defined(point.false_positive_rate) and is_defined(point.sensitivity):
        parts.append(
            f"The operating point has a sensitivity of {format_number(point.sensitivity)} at a false positive rate "
            f"of {format_number(point.false_positive_rate)}."
        )
    caption = (
        "Sensitivity against false positive rate at every threshold." + describe_band(curves, confidence)
        if len(confusion) == 2
        else "Each class against the rest, at every threshold."
    )
    return FigureText(" ".join(part for part in parts if part), caption)
