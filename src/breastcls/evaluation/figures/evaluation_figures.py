"""The figures of an evaluation by name, each with its alternative text and its caption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from breastcls.drawing.figures import TWO_COLUMNS, drawing_style, new_axes, new_figure
from breastcls.drawing.html_figure import figure_to_html
from breastcls.errors import EvaluationError
from breastcls.evaluation.figures.confusion_figure import plot_confusion
from breastcls.evaluation.figures.decision_curve_figure import describe_decision_curve, plot_decision_curve
from breastcls.evaluation.figures.figure_text import FigureText
from breastcls.evaluation.figures.metrics_figure import describe_metrics, plot_metrics
from breastcls.evaluation.figures.precision_recall_figure import describe_precision_recall, plot_precision_recall
from breastcls.evaluation.figures.reliability_figure import describe_reliability, plot_reliability
from breastcls.evaluation.figures.risk_coverage_figure import describe_risk_coverage, plot_risk_coverage
from breastcls.evaluation.figures.risk_figures import (
    describe_cumulative_risk,
    describe_risk_histogram,
    plot_cumulative_risk,
    plot_risk_histogram,
)
from breastcls.evaluation.figures.roc_figure import describe_roc, plot_roc
from breastcls.intervals.score_values import read_scores
from breastcls.robustness.robustness_figure import (
    choose_metric,
    describe_perturbation,
    plot_perturbation,
    plot_strengths,
)

# Any: an `Evaluation`, whose class is above this module because its method `plot` draws these figures.
Source = Any


@dataclass(frozen=True)
class EvaluationFigure:
    """One figure of an evaluation.

    Attributes:
        plot: Draws it, into axes if some are given.
        describe: Its words for the report.
        needs: The field of the evaluation that must not be None.
    """

    plot: Callable[[Source, Axes | None], Figure]
    describe: Callable[[Source], FigureText] | None = None
    needs: str = "metrics"


def positive_class(evaluation: Source) -> str | None:
    """Return the positive class, or None for more than two classes."""
    classes = evaluation.predictions.classes
    return str(classes[-1]) if len(classes) == 2 else None


def draw_figure(evaluation: Source, name: str, axes: Axes | None = None) -> Figure:
    """Draw one figure of an evaluation by its name.

    Args:
        evaluation: What `breastcls.evaluate` returned.
        name: One of `FIGURES`.
        axes: Where to draw; a new figure if None.

    Raises:
        EvaluationError: If there is no such figure, or the evaluation lacks what it shows.
    """
    if name not in FIGURES:
        raise EvaluationError(f"There is no figure {name!r}; expected one of {', '.join(FIGURES)}.")
    figure = FIGURES[name]
    if getattr(evaluation, figure.needs) is None:
        raise EvaluationError(
            f"This evaluation holds no `{figure.needs}`, which the figure {name!r} shows. Sections that `evaluate` "
            f"does not compute are attached by `with_sections`; the decision curve needs two classes, both present."
        )
    return figure.plot(evaluation, axes)


def figure_html(evaluation: Source, name: str, *, width: float = 85.0, height: float | None = None) -> Markup | None:
    """Return one figure for the report, or None where the evaluation lacks what it shows.

    Args:
        evaluation: What `breastcls.evaluate` returned.
        name: One of `FIGURES` with a description.
        width: Width in millimetres: the text is the larger in the page, the narrower the figure.
        height: Height in millimetres; default: the width.
    """
    figure = FIGURES[name]
    if getattr(evaluation, figure.needs) is None or figure.describe is None:
        return None
    text = figure.describe(evaluation)
    with drawing_style():
        drawn = figure.plot(evaluation, new_axes(None, width=width, height=height or width))
    return figure_to_html(drawn, text.alt, key=name, caption=text.caption)


def perturbations_html(evaluation: Source) -> list[Markup]:
    """Return one figure per perturbation for the report, with every metric in it."""
    if evaluation.robustness is None:
        return []
    figures = []
    for number, (_, rows) in enumerate(evaluation.robustness.groupby("perturbation", sort=False)):
        with drawing_style():
            drawn = plot_perturbation(rows, axes=new_axes(None, width=65.0, height=58.0))
        figures.append(figure_to_html(drawn, describe_perturbation(rows), key=f"robustness-{number}"))
    return figures


def plot_overview(evaluation: Source) -> Figure:
    """Draw ROC curve, precision–recall curve, confusion matrix and metrics on one figure 174 mm wide."""
    with drawing_style():
        figure = new_figure(TWO_COLUMNS, 180.0)
        # Each row has its own layout, so that the long names of the metrics do not narrow the curves.
        above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
        panels = [*above.subplots(1, 2), *below.subplots(1, 2, width_ratios=(1.15, 1))]
        for name, axes in zip(("roc", "precision-recall", "confusion", "metrics"), panels, strict=True):
            FIGURES[name].plot(evaluation, axes)
        return figure


def _curve(evaluation: Source) -> dict[str, pd.DataFrame]:
    return {"confusion": evaluation.confusion, "metrics": evaluation.metrics}


def _confidence(evaluation: Source) -> float:
    return float(evaluation.settings["bootstrap"]["confidence"])


def _unit(evaluation: Source) -> str:
    return str(evaluation.settings["aggregation"]["level"])


def _risk(evaluation: Source) -> dict[str, Any]:
    return {"positive": positive_class(evaluation), "threshold": evaluation.predictions.threshold}


def _binned(evaluation: Source) -> tuple[pd.DataFrame, Any]:
    calibration = evaluation.calibration
    return calibration.equal_mass, read_scores(calibration.errors)["ece_equal_mass"]


def _plot_reliability(evaluation: Source, axes: Axes | None) -> Figure:
    bins, error = _binned(evaluation)
    return plot_reliability(bins, positive=positive_class(evaluation), error=error, axes=axes)


def _describe_reliability(evaluation: Source) -> FigureText:
    bins, error = _binned(evaluation)
    return describe_reliability(bins, error=error, confidence=_confidence(evaluation), unit=_unit(evaluation))


FIGURES: dict[str, EvaluationFigure] = {
    "overview": EvaluationFigure(lambda found, _: plot_overview(found)),
    "roc": EvaluationFigure(
        lambda found, axes: plot_roc(found.roc, **_curve(found), axes=axes),
        lambda found: describe_roc(found.roc, **_curve(found), confidence=_confidence(found)),
    ),
    "precision-recall": EvaluationFigure(
        lambda found, axes: plot_precision_recall(found.precision_recall, **_curve(found), axes=axes),
        lambda found: describe_precision_recall(found.precision_recall, **_curve(found), confidence=_confidence(found)),
    ),
    "confusion": EvaluationFigure(lambda found, axes: plot_confusion(found.confusion, axes=axes)),
    "metrics": EvaluationFigure(
        lambda found, axes: plot_metrics(
            found.metrics, baseline=found.colour_baseline, confidence=_confidence(found), axes=axes
        ),
        lambda found: describe_metrics(found.metrics, baseline=found.colour_baseline, confidence=_confidence(found)),
    ),
    "reliability": EvaluationFigure(_plot_reliability, _describe_reliability, "calibration"),
    "risk-histogram": EvaluationFigure(
        lambda found, axes: plot_risk_histogram(found.risk_histogram, **_risk(found), axes=axes),
        lambda found: describe_risk_histogram(found.risk_histogram, positive=positive_class(found), unit=_unit(found)),
        "risk_histogram",
    ),
    "cumulative-risk": EvaluationFigure(
        lambda found, axes: plot_cumulative_risk(found.risk_histogram, **_risk(found), axes=axes),
        lambda found: describe_cumulative_risk(
            found.risk_histogram, positive=positive_class(found), confidence=_confidence(found)
        ),
        "risk_histogram",
    ),
    "decision-curve": EvaluationFigure(
        lambda found, axes: plot_decision_curve(
            found.decision_curve, positive=found.predictions.classes[-1], confidence=_confidence(found), axes=axes
        ),
        lambda found: describe_decision_curve(
            found.decision_curve,
            positive=found.predictions.classes[-1],
            confidence=_confidence(found),
            unit=_unit(found),
        ),
        "decision_curve",
    ),
    "risk-coverage": EvaluationFigure(
        lambda found, axes: plot_risk_coverage(
            found.risk_coverage, unit=_unit(found), confidence=_confidence(found), axes=axes
        ),
        lambda found: describe_risk_coverage(found.risk_coverage, unit=_unit(found), confidence=_confidence(found)),
        "risk_coverage",
    ),
    "robustness": EvaluationFigure(
        lambda found, _: plot_strengths(found.robustness, choose_metric(found.robustness, None)), needs="robustness"
    ),
}
