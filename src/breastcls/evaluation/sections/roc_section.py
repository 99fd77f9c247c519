"""The ROC curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from breastcls.evaluation.evaluation_context import EvaluationContext
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.figures.figure_text import FigureText
from breastcls.evaluation.section import Section, SectionFigure, no_blocks
from breastcls.intervals.curve_bands import compute_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def compute_both_curves(context: EvaluationContext) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the ROC curve and the precision-recall curve: they share the resamples."""
    return context.compute_once("curves", lambda: compute_curves(context.scored, context.bootstrap))


def _draw(roc: pd.DataFrame, evaluation: EvaluationData, axes: Axes | None) -> Figure:
    from breastcls.evaluation.figures.roc_figure import plot_roc

    return plot_roc(roc, confusion=evaluation.value_of("confusion"), metrics=evaluation.value_of("metrics"), axes=axes)


def _describe(roc: pd.DataFrame, evaluation: EvaluationData) -> FigureText:
    from breastcls.evaluation.figures.roc_figure import describe_roc

    return describe_roc(
        roc,
        confusion=evaluation.value_of("confusion"),
        metrics=evaluation.value_of("metrics"),
        confidence=evaluation.confidence,
    )


SECTION = Section(
    name="roc",
    title="ROC curve",
    part="Curves",
    description="The ROC curve on a grid; low and high bound tpr. More than two classes: a column class.",
    always=True,
    compute=lambda context: compute_both_curves(context)[0],
    columns=("threshold", "fpr", "tpr", "low", "high"),
    figures=(SectionFigure("roc", _draw, _describe),),
    report=no_blocks,
)
