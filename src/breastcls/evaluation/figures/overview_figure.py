"""The most important figures of an evaluation in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from breastcls.drawing.figures import TWO_COLUMNS, drawing_style, new_figure
from breastcls.evaluation.figures.confusion_figure import plot_confusion
from breastcls.evaluation.figures.metrics_figure import plot_metrics
from breastcls.evaluation.figures.precision_recall_figure import plot_precision_recall
from breastcls.evaluation.figures.roc_figure import plot_roc


def plot_overview(sections: Mapping[str, Any], *, confidence: float) -> Figure:
    """Draw ROC curve, precision–recall curve, confusion matrix and metrics on one figure 174 mm wide.

    Args:
        sections: The tables `roc`, `precision_recall`, `confusion`, `metrics` and, if there is one, `colour_baseline`
            of an evaluation.
        confidence: The confidence of the intervals, 0..1.

    Returns:
        The figure, two panels by two.
    """
    confusion, metrics = sections["confusion"], sections["metrics"]
    with drawing_style():
        figure = new_figure(TWO_COLUMNS, 180.0)
        # Each row has its own layout, so that the long names of the metrics do not narrow the curves.
        above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
        curves = above.subplots(1, 2)
        tables = below.subplots(1, 2, width_ratios=(1.15, 1))
        plot_roc(sections["roc"], confusion=confusion, metrics=metrics, axes=curves[0])
        plot_precision_recall(sections["precision_recall"], confusion=confusion, metrics=metrics, axes=curves[1])
        plot_confusion(confusion, axes=tables[0])
        plot_metrics(metrics, baseline=sections.get("colour_baseline"), confidence=confidence, axes=tables[1])
        return figure
