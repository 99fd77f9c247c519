"""Selective prediction: the error rate when the least certain images are rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.figures.figure_text import FigureText
from breastcls.evaluation.section import Section, SectionFigure, no_blocks
from breastcls.uncertainty.selective_prediction import risk_coverage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _draw(table: pd.DataFrame, evaluation: EvaluationData, axes: Axes | None) -> Figure:
    from breastcls.evaluation.figures.risk_coverage_figure import plot_risk_coverage

    return plot_risk_coverage(table, unit=evaluation.unit, confidence=evaluation.confidence, axes=axes)


def _describe(table: pd.DataFrame, evaluation: EvaluationData) -> FigureText:
    from breastcls.evaluation.figures.risk_coverage_figure import describe_risk_coverage

    return describe_risk_coverage(table, unit=evaluation.unit, confidence=evaluation.confidence)


SECTION = Section(
    name="risk_coverage",
    title="Selective prediction",
    part="Uncertainty and selective prediction",
    description="Risk-coverage curve: the error rate among the most certain images, by the share that is kept.",
    compute=lambda context: risk_coverage(context.scored, bootstrap=context.bootstrap),
    attachable=True,
    columns=("coverage", "risk", "low", "high"),
    figures=(SectionFigure("risk-coverage", _draw, _describe),),
    report=no_blocks,
    glossary=(
        (
            "Risk and coverage",
            "The error rate (risk) among the images that are kept, by the share that is kept (coverage), when the "
            "least certain images are rejected first.",
        ),
    ),
)
