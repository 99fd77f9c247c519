"""Every metric with its confidence interval, one below the other."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from breastcls.drawing.figures import BASELINE, INK, MODEL, MUTED, drawing_style, figure_of, legend_below, new_axes
from breastcls.errors import EvaluationError
from breastcls.evaluation.figures.figure_text import FigureText, in_percent
from breastcls.intervals.score_values import Score, read_scores
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import is_defined


def plot_metrics(
    metrics: pd.DataFrame,
    *,
    baseline: pd.DataFrame | None = None,
    confidence: float = 0.95,
    axes: Axes | None = None,
) -> Figure:
    """Draw the metrics whose range is 0 to 1, 1 being the best value, with their confidence intervals.

    Metrics of another range would stretch the axis: losses and the correlation are left out, and so is the image
    recognition rate, which is the accuracy.

    Args:
        metrics: One row per metric, columns `value`, `low`, `high`.
        baseline: The same of the colour-only baseline, drawn below each metric that it has.
        confidence: The confidence of the intervals, for the name of the axis.
        axes: Where to draw; a new figure 85 mm wide if None.

    Returns:
        The figure.

    Raises:
        EvaluationError: If the table holds no such metric.
    """
    scores = _bounded(metrics)
    if not scores:
        raise EvaluationError(
            f"No metric to draw among {list(metrics.index)}: expected one whose range is 0 to 1, such as accuracy."
        )
    beside = {} if baseline is None else _bounded(baseline)
    with drawing_style():
        axes = new_axes(axes, height=14.0 + 6.5 * len(scores))
        shift = 0.17 if beside else 0.0
        for place, (name, score) in enumerate(scores.items()):
            _draw_score(axes, score, place - shift, MODEL, "o")
            axes.text(
                1.03,
                place,
                score.value_text,
                transform=axes.get_yaxis_transform(),
                va="center",
                color=INK if is_defined(score.value) else MUTED,
            )
            if name in beside:
                _draw_score(axes, beside[name], place + shift, BASELINE, "D")
        axes.set_yticks(range(len(scores)), [describe_metric(name).short for name in scores])
        axes.set(xlim=(-0.02, 1.02), ylim=(len(scores) - 0.5, -0.5))
        label = f"Value and {in_percent(confidence)} CI over cases"
        shown = [*scores.values(), *beside.values()]
        if any(is_defined(score.value) and not score.has_interval for score in shown):
            label += "\n(open mark: CI not estimable)"
        axes.set(title="Metrics", xlabel=label)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        if beside:
            _add_legend(axes)
        return figure_of(axes)


def describe_metrics(metrics: pd.DataFrame, *, baseline: pd.DataFrame | None = None, confidence: float) -> FigureText:
    """Return the alternative text and the caption of `plot_metrics`."""
    beside = {} if baseline is None else _bounded(baseline)
    parts = []
    for name, score in _bounded(metrics).items():
        other = f", colour-only baseline {beside[name].value_text}" if name in beside else ""
        parts.append(f"{describe_metric(name).name} {score.value_text} ({score.interval_text}){other}.")
    subject = "Metrics of the model and of the colour-only baseline" if beside else "Metrics of the model"
    percent = in_percent(confidence)
    caption = f"Each metric with its {percent} confidence interval over cases."
    return FigureText(f"{subject} with {percent} confidence intervals. {' '.join(parts)}", caption)


def _bounded(metrics: pd.DataFrame) -> dict[str, Score]:
    scores = read_scores(metrics)
    names = [name for name in scores if describe_metric(name).is_score and describe_metric(name).lower == 0.0]
    return {name: scores[name] for name in names if name != "image_recognition_rate" or "accuracy" not in scores}


def _add_legend(axes: Axes) -> None:
    axes.plot([], [], "o-", color=MODEL, markersize=4, label="model")
    axes.plot([], [], "D-", color=BASELINE, markersize=4, label="colour-only baseline")
    legend_below(axes, 2)


def _draw_score(axes: Axes, score: Score, place: float, colour: str, marker: str) -> None:
    if score.has_interval:
        axes.plot([score.low, score.high], [place, place], color=colour, linewidth=1.4, solid_capstyle="butt")
    if is_defined(score.value):
        # An open mark does not look certain.
        face = colour if score.has_interval else "white"
        axes.plot([score.value], [place], marker, color=colour, markersize=4, markerfacecolor=face)
