"""The precision-recall curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.figures.figure_text import FigureText
from breastcls.evaluation.section import Section, SectionFigure, no_blocks
from breastcls.evaluation.sections.roc_section import compute_both_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _draw(curve: pd.DataFrame, evaluation: EvaluationData, axes: Axes | None) -> Figure:
    from breastcls.evaluation.figures.precision_recall_figure import plot_precision_recall

    return plot_precision_recall(
        curve, confusion=evaluation.value_of("confusion"), metrics=evaluation.value_of("metrics"), axes=axes
    )


def _describe(curve: pd.DataFrame, evaluation: EvaluationData) -> FigureText:
    from breastcls.evaluation.figures.precision_recall_figure import describe_precision_recall

    return describe_precision_recall(
        curve,
        confusion=evaluation.value_of("confusion"),
        metrics=evaluation.value_of("metrics"),
        confidence=evaluation.confidence,
    )


SECTION = Section(
    name="precision_recall",
    title="Precision–recall curve",
    part="Curves",
    description="The precision-recall curve on a grid; low and high bound precision.",
    always=True,
    compute=lambda context: compute_both_curves(context)[1],
    columns=("threshold", "recall", "precision", "low", "high"),
    figures=(SectionFigure("precision-recall", _draw, _describe),),
    report=no_blocks,
)
