"""All figures in one place: of an evaluation and of a training run.

Every function returns a `matplotlib.figure.Figure`; `save_figure` writes it at the width a journal asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from breastcls.drawing.figures import TWO_COLUMNS, drawing_style, new_figure, save_figure
from breastcls.errors import EvaluationError
from breastcls.evaluation.report.confusion_figure import plot_confusion
from breastcls.evaluation.report.curve_figures import plot_precision_recall, plot_roc
from breastcls.evaluation.report.metrics_figure import plot_metrics
from breastcls.evaluation.report.risk_coverage_figure import plot_risk_coverage
from breastcls.evaluation.report.risk_figures import plot_decision_curve, plot_reliability, plot_risk_histogram
from breastcls.robustness.robustness_figure import plot_robustness
from breastcls.training.history_figure import plot_history

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation

__all__ = [
    "draw_figure",
    "plot_confusion",
    "plot_decision_curve",
    "plot_evaluation",
    "plot_history",
    "plot_metrics",
    "plot_precision_recall",
    "plot_reliability",
    "plot_risk_coverage",
    "plot_risk_histogram",
    "plot_robustness",
    "plot_roc",
    "save_figure",
]


def plot_evaluation(evaluation: Evaluation) -> Figure:
    """Draw ROC curve, precision–recall curve, confusion matrix and scores on one figure 174 mm wide.

    Args:
        evaluation: What `breastcls.evaluate` returned.

    Returns:
        The figure, two panels by two.
    """
    with drawing_style():
        figure = new_figure(TWO_COLUMNS, 180.0)
        # Each row lays itself out, so that the long names of the metrics do not push the curves aside.
        above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
        curves = above.subplots(1, 2)
        tables = below.subplots(1, 2, width_ratios=(1.15, 1))
        plot_roc(evaluation, axes=curves[0])
        plot_precision_recall(evaluation, axes=curves[1])
        plot_confusion(evaluation, axes=tables[0])
        plot_metrics(evaluation, axes=tables[1])
        return figure


FIGURES: dict[str, Callable[[Evaluation], Figure]] = {
    "overview": plot_evaluation,
    "roc": plot_roc,
    "precision-recall": plot_precision_recall,
    "confusion": plot_confusion,
    "metrics": plot_metrics,
    "reliability": plot_reliability,
    "risk-histogram": plot_risk_histogram,
    "decision-curve": plot_decision_curve,
    "risk-coverage": plot_risk_coverage,
    "robustness": plot_robustness,
}


def draw_figure(evaluation: Evaluation, name: str) -> Figure:
    """Draw one figure of an evaluation by its name.

    Args:
        evaluation: What `breastcls.evaluate` returned.
        name: One of `FIGURES`.

    Raises:
        EvaluationError: If there is no such figure, or the evaluation lacks what it shows.
    """
    if name not in FIGURES:
        raise EvaluationError(f"There is no figure {name!r}; expected one of {', '.join(FIGURES)}.")
    return FIGURES[name](evaluation)
