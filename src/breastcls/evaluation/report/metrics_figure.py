"""Every score with its interval, one below the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from breastcls.drawing.figures import BASELINE, INK, MODEL, MUTED, drawing_style, figure_of, new_axes
from breastcls.errors import EvaluationError
from breastcls.evaluation.report.settings_text import percent_of
from breastcls.intervals.score_values import Score, read_scores
from breastcls.metrics.metric_descriptions import describe_metric, is_defined

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation


def plot_metrics(evaluation: Evaluation, *, axes: Axes | None = None) -> Figure:
    """Draw the scores and their intervals over cases, and beside them those of colour alone where known.

    Losses, whose scale has no upper end, are left to the table.

    Args:
        evaluation: What `breastcls.evaluate` returned.
        axes: Where to draw; a new figure 85 mm wide if None.

    Returns:
        The figure.

    Raises:
        EvaluationError: If the evaluation holds no score.
    """
    scores = {name: score for name, score in read_scores(evaluation.metrics).items() if describe_metric(name).is_score}
    if not scores:
        found = list(evaluation.metrics.index)
        raise EvaluationError(f"No score to draw among {found}: expected accuracy or its like.")
    baseline = {} if evaluation.colour_baseline is None else read_scores(evaluation.colour_baseline)
    with drawing_style():
        axes = new_axes(axes, height=14.0 + 6.5 * len(scores))
        shift = 0.17 if baseline else 0.0
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
            if name in baseline:
                _draw_score(axes, baseline[name], place + shift, BASELINE, "D")
        shown = [*scores.values(), *(baseline[name] for name in scores if name in baseline)]
        lowest = min([end for score in shown for end in score if is_defined(end)], default=0.0)
        axes.set_yticks(range(len(scores)), [describe_metric(name).short for name in scores])
        axes.set(xlim=(min(0.0, lowest) - 0.02, 1.02), ylim=(len(scores) - 0.5, -0.5))
        axes.set(title="Scores", xlabel=f"Value and {percent_of(evaluation)} interval over cases")
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        if baseline:
            axes.plot([], [], "o-", color=MODEL, markersize=4, label="model")
            axes.plot([], [], "D-", color=BASELINE, markersize=4, label="colour alone")
            # Below the axis, whatever the height of the figure: the marks may be anywhere above it.
            below = ScaledTranslation(0, -28 / 72, figure_of(axes).dpi_scale_trans)
            axes.legend(
                loc="upper center",
                bbox_to_anchor=(0.5, 0.0),
                bbox_transform=axes.transAxes + below,
                ncols=2,
                borderaxespad=0.0,
                handlelength=1.5,
            )
        return figure_of(axes)


def _draw_score(axes: Axes, score: Score, place: float, colour: str, marker: str) -> None:
    if score.has_interval:
        axes.plot([score.low, score.high], [place, place], color=colour, linewidth=1.4, solid_capstyle="butt")
    if is_defined(score.value):
        axes.plot([score.value], [place], marker, color=colour, markersize=4)
