"""The distribution of the predicted probability within each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from breastcls.decisions.risk_histogram import risk_histogram
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.figures.figure_text import FigureText
from breastcls.evaluation.section import Section, SectionFigure, no_blocks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _positive(evaluation: EvaluationData) -> str | None:
    return evaluation.classes[-1] if len(evaluation.classes) == 2 else None


def _draw_histogram(table: pd.DataFrame, evaluation: EvaluationData, axes: Axes | None) -> Figure:
    from breastcls.evaluation.figures.risk_figures import plot_risk_histogram

    return plot_risk_histogram(
        table, positive=_positive(evaluation), threshold=evaluation.predictions.threshold, axes=axes
    )


def _describe_histogram(table: pd.DataFrame, evaluation: EvaluationData) -> FigureText:
    from breastcls.evaluation.figures.risk_figures import describe_risk_histogram

    return describe_risk_histogram(table, positive=_positive(evaluation), unit=evaluation.unit)


def _draw_cumulative(table: pd.DataFrame, evaluation: EvaluationData, axes: Axes | None) -> Figure:
    from breastcls.evaluation.figures.risk_figures import plot_cumulative_risk

    return plot_cumulative_risk(
        table, positive=_positive(evaluation), threshold=evaluation.predictions.threshold, axes=axes
    )


SECTION = Section(
    name="risk_histogram",
    title="Distribution of the predicted probability",
    part="Calibration",
    description="One row per class and bin of the predicted probability.",
    compute=lambda context: risk_histogram(context.scored, bootstrap=context.bootstrap),
    columns=("group", "lower", "upper", "images", "share", "cumulative", "low", "high"),
    figures=(
        SectionFigure("risk-histogram", _draw_histogram, _describe_histogram),
        # The report shows the same distribution as a histogram.
        SectionFigure("cumulative-risk", _draw_cumulative),
    ),
    report=no_blocks,
)
