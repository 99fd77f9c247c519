"""ROC and precision–recall curves with their bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from breastcls.drawing.figures import (
    CLASS_COLOURS,
    INK,
    LINE_STYLES,
    MUTED,
    drawing_style,
    figure_of,
    new_axes,
)
from breastcls.intervals.score_values import read_scores
from breastcls.metrics.metric_descriptions import describe_metric, is_defined

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation

_Corner = Literal["lower left", "lower right"]
# More points than a figure has pixels only make files larger.
MOST_POINTS = 400


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve in the unit square, thinned to what a figure can show.

    Attributes:
        name: The class it is about.
        x: Float (n,).
        y: Float (n,).
        low: Lower edge of the band (n,), NaN where there is none.
        high: Upper edge (n,).
    """

    name: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    @property
    def has_band(self) -> bool:
        """Whether any point has an interval."""
        return bool((np.isfinite(self.low) & np.isfinite(self.high)).any())


def read_roc(evaluation: Evaluation) -> list[Curve]:
    """Return the ROC curves of an evaluation: one for two classes, else one a class against the rest."""
    return _read(evaluation, evaluation.roc, "fpr", "tpr")


def read_precision_recall(evaluation: Evaluation) -> list[Curve]:
    """Return the precision–recall curves of an evaluation: one for two classes, else one a class."""
    return _read(evaluation, evaluation.precision_recall, "recall", "precision")


def _read(evaluation: Evaluation, table: pd.DataFrame, x: str, y: str) -> list[Curve]:
    if "class" in table.columns:
        present = set(table["class"])
        groups = [(name, table[table["class"] == name]) for name in evaluation.predictions.classes if name in present]
    else:
        groups = [(evaluation.predictions.classes[-1], table)]
    curves = []
    for name, group in groups:
        points = group[[x, y]].to_numpy(np.float64)
        bands = group.reindex(columns=["low", "high"]).to_numpy(np.float64)
        keep = np.flatnonzero(np.isfinite(points).all(axis=1))
        if len(keep) > MOST_POINTS:
            keep = keep[np.linspace(0, len(keep) - 1, MOST_POINTS).round().astype(np.int64)]
        if len(keep):
            curves.append(Curve(str(name), points[keep, 0], points[keep, 1], bands[keep, 0], bands[keep, 1]))
    return curves


def share_of_class(evaluation: Evaluation, name: str) -> float:
    """Return the share of `name` among what was scored: the precision that chance reaches."""
    row = evaluation.confusion.sum(axis=1)
    return float(row[name] / row.sum()) if row.sum() else float("nan")


def operating_point(evaluation: Evaluation) -> tuple[float, float, float] | None:
    """Return false positive rate, sensitivity and precision of the decisions; None beyond two classes."""
    if len(evaluation.predictions.classes) != 2:
        return None
    (right_negative, false_positive), (missed, found) = evaluation.confusion.to_numpy(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = (
            false_positive / (right_negative + false_positive),
            found / (missed + found),
            found / (found + false_positive),
        )
    return (float(rates[0]), float(rates[1]), float(rates[2]))


def plot_roc(evaluation: Evaluation, *, axes: Axes | None = None) -> Figure:
    """Draw sensitivity against the false positive rate, with the band over cases.

    Args:
        evaluation: What `breastcls.evaluate` returned.
        axes: Where to draw; a new square figure of 85 mm if None.

    Returns:
        The figure. Two classes: one curve and the point of the decisions taken. More: one curve a class
        against the rest, without bands.
    """
    with drawing_style():
        axes = new_axes(axes)
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=0.9, label="chance")
        _draw(axes, read_roc(evaluation))
        point = operating_point(evaluation)
        if point and is_defined(point[0]) and is_defined(point[1]):
            _draw_point(axes, point[0], point[1])
        _finish(axes, "False positive rate (1 − specificity)", "Sensitivity", "ROC curve", "lower right")
        _note(axes, evaluation, "roc_auc", (0.98, 0.34))
        return figure_of(axes)


def plot_precision_recall(evaluation: Evaluation, *, axes: Axes | None = None) -> Figure:
    """Draw precision against recall, with the band over cases.

    Args:
        evaluation: What `breastcls.evaluate` returned.
        axes: Where to draw; a new square figure of 85 mm if None.

    Returns:
        The figure. Two classes: one curve, the level of chance and the point of the decisions taken. More:
        one curve a class, without bands.
    """
    with drawing_style():
        axes = new_axes(axes)
        curves = read_precision_recall(evaluation)
        if len(evaluation.predictions.classes) == 2:
            chance = share_of_class(evaluation, evaluation.predictions.classes[-1])
            if is_defined(chance):
                axes.axhline(chance, color=MUTED, linestyle=":", linewidth=0.9, label="chance")
        _draw(axes, curves)
        point = operating_point(evaluation)
        if point and is_defined(point[1]) and is_defined(point[2]):
            _draw_point(axes, point[1], point[2])
        _finish(axes, "Recall (sensitivity)", "Precision", "Precision–recall curve", "lower left")
        _note(axes, evaluation, "average_precision", (0.98, 0.34))
        return figure_of(axes)


def _draw(axes: Axes, curves: list[Curve]) -> None:
    for index, curve in enumerate(curves):
        colour = CLASS_COLOURS[index % len(CLASS_COLOURS)]
        style = LINE_STYLES[index % len(LINE_STYLES)] if len(curves) > 1 else "-"
        if curve.has_band and len(curves) == 1:
            axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.16, linewidth=0)
        axes.plot(curve.x, curve.y, color=colour, linestyle=style, label=curve.name)


def _draw_point(axes: Axes, x: float, y: float) -> None:
    axes.plot([x], [y], "o", color=INK, markeredgecolor="white", markersize=6, label="decisions", zorder=4)


def _finish(axes: Axes, x_name: str, y_name: str, title: str, legend: _Corner) -> None:
    axes.grid()
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x_name, ylabel=y_name, title=title)
    axes.set_box_aspect(1)
    if len(axes.get_lines()) <= 5:
        axes.legend(loc=legend)
    else:  # so many names would lie on the curves
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=4, columnspacing=1.2)


def _note(axes: Axes, evaluation: Evaluation, metric: str, place: tuple[float, float]) -> None:
    if len(evaluation.predictions.classes) != 2 or metric not in evaluation.metrics.index:
        return
    score = read_scores(evaluation.metrics)[metric]
    text = f"{describe_metric(metric).short} {score.value_text}\n({score.interval_text})"
    axes.text(*place, text, transform=axes.transAxes, ha="right", va="bottom", fontsize=8, color=INK)
