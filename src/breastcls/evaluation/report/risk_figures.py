"""Figures of the probabilities: reliability, the spread of the risk, and net benefit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from breastcls.drawing.figures import (
    CLASS_COLOURS,
    INK,
    LINE_STYLES,
    MODEL,
    MUTED,
    drawing_style,
    figure_of,
    new_axes,
)
from breastcls.errors import EvaluationError
from breastcls.evaluation.report.settings_text import percent_of, unit_of
from breastcls.intervals.score_values import read_scores

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation


def plot_reliability(evaluation: Evaluation, *, axes: Axes | None = None) -> Figure:
    """Draw what was found against what was claimed, in bins of about equally many images, with intervals over cases.

    Args:
        evaluation: What `breastcls.evaluate` returned.
        axes: Where to draw; a new square figure of 85 mm if None.

    Raises:
        EvaluationError: If the evaluation holds no calibration.
    """
    if evaluation.calibration is None:
        raise EvaluationError("This evaluation holds no calibration to draw.")
    table = evaluation.calibration.equal_mass
    positive = evaluation.predictions.classes[-1]
    of_class = evaluation.calibration.claim == "positive class"
    with drawing_style():
        axes = new_axes(axes)
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=0.9, label="claimed = found")
        known = table["low"].notna().to_numpy()
        axes.vlines(
            table["probability"][known],
            table["low"][known],
            table["high"][known],
            color=MODEL,
            linewidth=1.0,
            alpha=0.7,
        )
        axes.plot(table["probability"], table["frequency"], "o-", color=MODEL, markersize=3.5, label="found")
        axes.grid()
        axes.set(
            xlim=(-0.01, 1.01),
            ylim=(-0.01, 1.01),
            xlabel=f"Claimed probability of {positive if of_class else 'the class decided'}",
            ylabel=f"Share found to be {positive}" if of_class else "Share decided rightly",
            title="Reliability diagram",
        )
        axes.set_box_aspect(1)
        axes.legend(loc="upper left")
        error = read_scores(evaluation.calibration.errors)["ece_equal_mass"]
        text = f"ECE {error.value_text}\n({error.interval_text})"
        axes.text(0.98, 0.03, text, transform=axes.transAxes, ha="right", va="bottom", fontsize=8, color=INK)
        return figure_of(axes)


def plot_risk_histogram(evaluation: Evaluation, *, axes: Axes | None = None) -> Figure:
    """Draw the share of each class below each predicted risk, with bands over cases.

    Args:
        evaluation: What `breastcls.evaluate` returned.
        axes: Where to draw; a new square figure of 85 mm if None.

    Raises:
        EvaluationError: If the evaluation holds no risk histogram.
    """
    if evaluation.risk_histogram is None:
        raise EvaluationError("This evaluation holds no risk histogram to draw.")
    classes = evaluation.predictions.classes
    with drawing_style():
        axes = new_axes(axes)
        for number, (name, rows) in enumerate(evaluation.risk_histogram.groupby("group", sort=False)):
            across, up, low, high = (
                np.concatenate([[0.0], rows[column].to_numpy(np.float64)])
                for column in ("upper", "cumulative", "low", "high")
            )
            colour, style = CLASS_COLOURS[number % len(CLASS_COLOURS)], LINE_STYLES[number % len(LINE_STYLES)]
            axes.fill_between(across, low, high, color=colour, alpha=0.16, linewidth=0)
            axes.plot(across, up, color=colour, linestyle=style, label=str(name))
        threshold = evaluation.predictions.threshold
        if threshold is not None and threshold <= 1:
            axes.axvline(threshold, color=MUTED, linestyle=":", linewidth=0.9, label="threshold")
        axes.grid()
        axes.set(
            xlim=(-0.01, 1.01),
            ylim=(-0.01, 1.01),
            xlabel=f"Predicted probability of {classes[-1]}"
            if len(classes) == 2
            else "Probability of the class decided",
            ylabel=f"Share of the {unit_of(evaluation)}s below",
            title="Cumulative risk",
        )
        axes.set_box_aspect(1)
        axes.legend(loc="upper left")
        return figure_of(axes)


def plot_decision_curve(evaluation: Evaluation, *, axes: Axes | None = None) -> Figure:
    """Draw net benefit against the threshold probability, beside calling every image positive and calling none so.

    Args:
        evaluation: What `breastcls.evaluate` returned.
        axes: Where to draw; a new square figure of 85 mm if None.

    Raises:
        EvaluationError: If the evaluation holds no decision curve: it is for two classes, both present.
    """
    table = evaluation.decision_curve
    if table is None:
        raise EvaluationError("This evaluation holds no decision curve: it is for two classes, both present.")
    with drawing_style():
        axes = new_axes(axes)
        axes.fill_between(table.index, table["low"], table["high"], color=MODEL, alpha=0.16, linewidth=0)
        axes.plot(table.index, table["model"], color=MODEL, label=f"model, {percent_of(evaluation)} band")
        positive = evaluation.predictions.classes[-1]
        axes.plot(table.index, table["all"], color=MUTED, linestyle="--", linewidth=0.9, label=f"call all {positive}")
        axes.axhline(0, color=MUTED, linestyle=":", linewidth=0.9, label="call none")
        top = float(np.nanmax(table[["model", "all", "high"]].to_numpy(np.float64)))
        # Far below nothing can be read: the curve of calling all falls without end.
        axes.set(
            xlim=(0, 1),
            ylim=(-0.25 * max(top, 0.05), 1.08 * max(top, 0.05)),
            xlabel="Threshold probability",
            ylabel="Net benefit",
            title="Decision curve",
        )
        axes.grid()
        axes.set_box_aspect(1)
        axes.legend(loc="upper right")
        return figure_of(axes)
