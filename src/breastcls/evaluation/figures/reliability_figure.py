"""The reliability diagram as a figure."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from breastcls.drawing.figures import INK, MODEL, MUTED, drawing_style, figure_of, new_axes
from breastcls.evaluation.figures.figure_text import FigureText, in_percent
from breastcls.intervals.score_values import Score
from breastcls.metrics.number_format import format_number


def plot_reliability(
    bins: pd.DataFrame, *, positive: str | None = None, error: Score | None = None, axes: Axes | None = None
) -> Figure:
    """Draw the observed frequency against the predicted probability, with confidence intervals over cases.

    Args:
        bins: One row per bin, columns `probability` (mean predicted), `frequency` (observed), `low`, `high`.
        positive: The class of the probabilities; None for the predicted class, whichever it is.
        error: The expected calibration error, which is written into the figure.
        axes: Where to draw; a new square figure of 85 mm if None.

    Returns:
        The figure.
    """
    with drawing_style():
        axes = new_axes(axes)
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=0.9, label="perfect calibration")
        known = bins[bins["low"].notna()]
        axes.vlines(known["probability"], known["low"], known["high"], color=MODEL, linewidth=1.0, alpha=0.7)
        axes.plot(bins["probability"], bins["frequency"], "o-", color=MODEL, markersize=3.5, label="model")
        axes.grid()
        axes.set(
            xlim=(-0.01, 1.01),
            ylim=(-0.01, 1.01),
            xlabel=f"Predicted probability of {positive}" if positive else "Probability of the predicted class",
            ylabel=f"Observed frequency of {positive}" if positive else "Observed accuracy",
            title="Reliability diagram",
        )
        axes.set_box_aspect(1)
        axes.legend(loc="upper left")
        if error is not None:
            text = f"ECE {error.value_text}\n({error.interval_text})"
            axes.text(0.98, 0.03, text, transform=axes.transAxes, ha="right", va="bottom", fontsize=8, color=INK)
        return figure_of(axes)


def describe_reliability(bins: pd.DataFrame, *, error: Score, confidence: float, unit: str = "image") -> FigureText:
    """Return the alternative text and the caption of `plot_reliability`."""
    percent = in_percent(confidence)
    rows = " ".join(
        f"Predicted {format_number(row['probability'], 2)}, observed {format_number(row['frequency'], 2)}."
        for row in bins.to_dict("records")
    )
    return FigureText(
        f"Reliability diagram of {len(bins)} bins. Expected calibration error {error.value_text}, {percent} CI "
        f"{error.interval_text}. {rows}",
        f"Each bin holds about as many {unit}s, with a {percent} confidence interval over cases. Below the diagonal "
        "the predicted probabilities are too high, above it too low.",
    )
