"""Net benefit over threshold probabilities."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pandas as pd

from breastcls.decisions.net_benefit import decision_curve
from breastcls.errors import EvaluationWarning
from breastcls.evaluation.evaluation_context import EvaluationContext, Need
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.figures.figure_text import FigureText
from breastcls.evaluation.report.blocks import Block, Paragraph
from breastcls.evaluation.section import Section, SectionFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _compute(context: EvaluationContext) -> pd.DataFrame:
    with warnings.catch_warnings():
        # `evaluate` itself warns of few cases.
        warnings.simplefilter("ignore", EvaluationWarning)
        return decision_curve(context.scored, bootstrap=context.bootstrap)


def _draw(table: pd.DataFrame, evaluation: EvaluationData, axes: Axes | None) -> Figure:
    from breastcls.evaluation.figures.decision_curve_figure import plot_decision_curve

    return plot_decision_curve(table, positive=evaluation.classes[-1], confidence=evaluation.confidence, axes=axes)


def _describe(table: pd.DataFrame, evaluation: EvaluationData) -> FigureText:
    from breastcls.evaluation.figures.decision_curve_figure import describe_decision_curve

    positive = evaluation.classes[-1]
    return describe_decision_curve(table, positive=positive, confidence=evaluation.confidence, unit=evaluation.unit)


def _report(table: pd.DataFrame, evaluation: EvaluationData) -> list[Block]:
    positive = evaluation.classes[-1]
    return [
        Paragraph(
            "A threshold probability of 0.1 weights one missed positive like nine false positives, one of 0.5 like "
            "one. Net benefit is the true positives minus the false positives with that weight, so that the model can "
            f"be compared with predicting {positive} for every {evaluation.unit}, or for none."
        ),
        Paragraph(
            f"It applies to images like these, with the share of {positive} in this test set, and assumes calibrated "
            "probabilities. It does not transfer to a clinic."
        ),
    ]


SECTION = Section(
    name="decision_curve",
    title="Decision curve",
    part="Decision threshold and net benefit",
    description="Two classes: net benefit; the index is the threshold probability.",
    needs=(Need.TWO_CLASSES,),
    compute=_compute,
    columns=("model", "low", "high", "all", "none"),
    figures=(SectionFigure("decision-curve", _draw, _describe),),
    report=_report,
    glossary=(
        (
            "Net benefit",
            "True positives minus false positives, where a false positive is weighted by the odds of the threshold "
            "probability. Where the curve is above both predicting positive for all and for none, the model is useful.",
        ),
    ),
)
