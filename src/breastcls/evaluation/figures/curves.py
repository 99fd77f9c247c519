"""What the ROC and the precision–recall figure share: curves with confidence bands and the operating point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from breastcls.drawing.figures import (
    CLASS_COLOURS,
    INK,
    LINE_STYLES,
    legend_below,
)
from breastcls.evaluation.figures.figure_text import in_percent
from breastcls.intervals.score_values import read_scores
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import is_defined

_Corner = Literal["lower left", "lower right"]
# More points than a figure has pixels only make files larger.
MOST_POINTS = 400


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve in the unit square, thinned to what a figure can show.

    Attributes:
        name: Its class.
        x: Float (n,).
        y: Float (n,).
        low: Lower edge of the confidence band (n,), NaN where there is none.
        high: Upper edge (n,).
    """

    name: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    @property
    def has_band(self) -> bool:
        """Whether the band is known at any point."""
        return bool((np.isfinite(self.low) & np.isfinite(self.high)).any())


class OperatingPoint(NamedTuple):
    """The rates of the predicted classes of a binary task; NaN where not defined."""

    false_positive_rate: float
    sensitivity: float
    precision: float


def read_curves(table: pd.DataFrame, classes: list[str], x: str, y: str) -> list[Curve]:
    """Return the curves of a table: that of the last class, or one per class if it has a column `class`."""
    if "class" in table.columns:
        present = set(table["class"])
        groups = [(name, table[table["class"] == name]) for name in classes if name in present]
    else:
        groups = [(classes[-1], table)]
    curves = []
    for name, group in groups:
        points = group[[x, y]].to_numpy(np.float64)
        bands = group.reindex(columns=["low", "high"]).to_numpy(np.float64)
        keep = np.flatnonzero(np.isfinite(points).all(axis=1))
        if len(keep) > MOST_POINTS:
            keep = keep[np.linspace(0, len(keep) - 1, MOST_POINTS).round().astype(np.int64)]
        if len(keep):
            curves.append(Curve(name, points[keep, 0], points[keep, 1], bands[keep, 0], bands[keep, 1]))
    return curves


def operating_point(confusion: pd.DataFrame) -> OperatingPoint | None:
    """Return the rates of the predicted classes; None for more than two classes.

    Example:
        >>> operating_point(pd.DataFrame([[70, 30], [10, 40]]))
        OperatingPoint(false_positive_rate=0.3, sensitivity=0.8, precision=0.5714285714285714)
    """
    if len(confusion.columns) != 2:
        return None
    (true_negative, false_positive), (false_negative, true_positive) = confusion.to_numpy(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = (
            false_positive / (true_negative + false_positive),
            true_positive / (false_negative + true_positive),
            true_positive / (true_positive + false_positive),
        )
    return OperatingPoint(*map(float, rates))


def class_names(confusion: pd.DataFrame) -> list[str]:
    """Return the names of the classes, the positive one last."""
    return [str(name) for name in confusion.columns]


def share_of_positives(confusion: pd.DataFrame) -> float:
    """Return the share of the positive class, which is the precision of chance; NaN unless there are two classes."""
    totals = confusion.to_numpy(np.float64).sum(axis=1)
    return float(totals[-1] / totals.sum()) if len(totals) == 2 and totals.sum() else float("nan")


def draw_curves(axes: Axes, curves: list[Curve]) -> None:
    """Draw curves, the band only where there is one curve."""
    for index, curve in enumerate(curves):
        colour = CLASS_COLOURS[index % len(CLASS_COLOURS)]
        style = LINE_STYLES[index % len(LINE_STYLES)] if len(curves) > 1 else "-"
        if curve.has_band and len(curves) == 1:
            axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.16, linewidth=0)
        axes.plot(curve.x, curve.y, color=colour, linestyle=style, label=curve.name)


def draw_operating_point(axes: Axes, x: float, y: float) -> None:
    """Draw the operating point where it is defined."""
    if is_defined(x) and is_defined(y):
        axes.plot([x], [y], "o", color=INK, markeredgecolor="white", markersize=6, label="operating point", zorder=4)


def finish_curves(axes: Axes, x_name: str, y_name: str, title: str, legend: _Corner) -> None:
    """Add grid, limits, titles and legend."""
    axes.grid()
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x_name, ylabel=y_name, title=title)
    axes.set_box_aspect(1)
    if len(axes.get_lines()) <= 5:
        axes.legend(loc=legend)
    else:  # So many names would cover the curves.
        legend_below(axes, 4)


def write_metric(axes: Axes, metrics: pd.DataFrame | None, metric: str) -> None:
    """Write a metric of a table with its confidence interval into the axes, if the table has it."""
    if metrics is None or metric not in metrics.index:
        return
    score = read_scores(metrics)[metric]
    text = f"{describe_metric(metric).short} {score.value_text}\n({score.interval_text})"
    axes.text(0.98, 0.34, text, transform=axes.transAxes, ha="right", va="bottom", fontsize=8, color=INK)


def name_classes(curves: list[Curve]) -> str:
    """Return what the curves are about."""
    return f"the class {curves[0].name}" if len(curves) == 1 else f"{len(curves)} classes"


def describe_band(curves: list[Curve], confidence: float) -> str:
    """Return the sentence on the band of the curves, if they have one."""
    known = any(curve.has_band for curve in curves)
    return f" The band is the {in_percent(confidence)} confidence band over cases." if known else ""


def describe_value(metrics: pd.DataFrame, metric: str, confidence: float) -> str:
    """Return the sentence on a metric of a table, if the table has it."""
    if metric not in metrics.index:
        return ""
    score = read_scores(metrics)[metric]
    return f"{describe_metric(metric).name}: {score.value_text}, {in_percent(confidence)} CI {score.interval_text}."
