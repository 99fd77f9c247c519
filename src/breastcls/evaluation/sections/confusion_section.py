"""The confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from breastcls.evaluation.evaluation_context import EvaluationContext
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.blocks import ConfusionMatrix, CountCell
from breastcls.evaluation.section import Section, SectionFigure, no_blocks
from breastcls.metrics.classification_metrics import count_confusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _compute(context: EvaluationContext) -> pd.DataFrame:
    predictions = context.scored
    names = pd.Index(predictions.classes)
    counts = count_confusion(predictions.labels, predictions.decisions, len(names))
    return pd.DataFrame(counts, index=names.rename("true"), columns=names.rename("predicted"))


def confusion_matrix(confusion: pd.DataFrame, evaluation: EvaluationData) -> ConfusionMatrix:
    """Return the confusion matrix, each count with its share of the row."""
    rows = []
    for place, (name, counts) in enumerate(confusion.iterrows()):
        total = int(counts.sum())
        cells = tuple(
            CountCell(
                count=f"{int(count):,}",
                share=float(count) / total if total else 0.0,
                percent=f"{100 * count / total:.0f}%" if total else "–",
                correct=place == column,
            )
            for column, count in enumerate(counts)
        )
        rows.append((str(name), cells, f"{total:,}"))
    caption = f"Confusion matrix: {evaluation.unit}s, and their share of the true class."
    return ConfusionMatrix(caption, tuple(map(str, confusion.columns)), tuple(rows))


def _draw(confusion: pd.DataFrame, evaluation: EvaluationData, axes: Axes | None) -> Figure:
    from breastcls.evaluation.figures.confusion_figure import plot_confusion

    return plot_confusion(confusion, axes=axes)


SECTION = Section(
    name="confusion",
    title="Confusion matrix",
    description="Counts; one row per true class, one column per predicted class.",
    always=True,
    compute=_compute,
    text=lambda confusion, evaluation: [
        "Confusion matrix (rows: true class, columns: predicted class)",
        confusion.to_string(),
    ],
    figures=(SectionFigure("confusion", _draw),),
    report=no_blocks,  # The first page of the report has it.
)
