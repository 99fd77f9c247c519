"""The geometry of the report's own drawings: curves in the unit square and marks on a scale.

The report draws SVG itself rather than embedding Matplotlib's, so that light and dark, screen and paper take
their colours from one style sheet and the text stays text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from breastcls.evaluation.report.chart import (
    Axis,
    Chart,
    DrawnCurve,
    band_between,
    level_line,
    path_through,
    to_drawing,
)
from breastcls.evaluation.report.curve_figures import (
    Curve,
    operating_point,
    read_precision_recall,
    read_roc,
    share_of_class,
)
from breastcls.evaluation.report.settings_text import percent_of
from breastcls.intervals.score_values import Score, read_scores
from breastcls.metrics.metric_descriptions import describe_metric, format_number, is_defined

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation

# Marks keep this far, in percent, from the ends of their cell, so that none is cut.
_MARGIN = 3.0


@dataclass(frozen=True)
class Mark:
    """A value with its interval on a scale, in percent of the width; None where not defined."""

    kind: str
    value: float | None
    low: float | None
    high: float | None


def draw_curves(curves: list[Curve]) -> tuple[DrawnCurve, ...]:
    """Return curves as path data; a band only where one curve stands alone."""
    drawn = []
    for number, curve in enumerate(curves):
        band = band_between(curve.x, curve.low, curve.high) if len(curves) == 1 else ""
        drawn.append(DrawnCurve(curve.name, number, path_through(curve.x, curve.y), band))
    return tuple(drawn)


def draw_roc(evaluation: Evaluation) -> Chart:
    """Return the ROC chart of an evaluation."""
    curves = read_roc(evaluation)
    point = operating_point(evaluation)
    classes = evaluation.predictions.classes
    parts = [f"ROC curve of {_subject(curves)}.", _summary(evaluation, "roc_auc")]
    place = None
    if point and is_defined(point[0]) and is_defined(point[1]):
        place = to_drawing(point[0], point[1])
        parts.append(
            f"The decisions taken have a sensitivity of {format_number(point[1])} at a false positive rate "
            f"of {format_number(point[0])}."
        )
    caption = (
        f"Of the {classes[-1]} images the share found, against the share of {classes[0]} images called so."
        if len(classes) == 2
        else "Each class against all others, at every threshold."
    )
    return Chart(
        "roc",
        "ROC curve",
        " ".join(part for part in parts if part),
        caption,
        Axis("False positive rate (1 − specificity)"),
        Axis("Sensitivity"),
        draw_curves(curves),
        (("chance", path_through(np.array([0.0, 1.0]), np.array([0.0, 1.0]))),),
        place,
        band_name(evaluation),
    )


def draw_precision_recall(evaluation: Evaluation) -> Chart:
    """Return the precision–recall chart of an evaluation."""
    curves = read_precision_recall(evaluation)
    classes = evaluation.predictions.classes
    point = operating_point(evaluation)
    parts = [f"Precision–recall curve of {_subject(curves)}.", _summary(evaluation, "average_precision")]
    place: tuple[float, float] | None = None
    chance: tuple[tuple[str, str], ...] = ()
    caption = "Each class on its own, at every threshold."
    if len(classes) == 2:
        caption = f"Of the images called {classes[-1]}, the share that are, against the share of them found."
        share = share_of_class(evaluation, classes[-1])
        if is_defined(share):
            chance = (("chance", level_line(share)),)
            parts.append(f"Chance reaches a precision of {format_number(share)}.")
        if point and is_defined(point[1]) and is_defined(point[2]):
            place = to_drawing(point[1], point[2])
            parts.append(
                f"The decisions taken have a precision of {format_number(point[2])} at a recall of "
                f"{format_number(point[1])}."
            )
    return Chart(
        "precision-recall",
        "Precision–recall curve",
        " ".join(part for part in parts if part),
        caption,
        Axis("Recall (sensitivity)"),
        Axis("Precision"),
        draw_curves(curves),
        chance,
        place,
        band_name(evaluation),
    )


def band_name(evaluation: Evaluation) -> str:
    """Return what the bands around curves are."""
    return f"{percent_of(evaluation)} band over cases"


def scale_of(scores: list[Score]) -> tuple[float, float]:
    """Return the ends of the scale on which these scores all find room.

    Example:
        >>> scale_of([Score(0.4, 0.3, 0.5)]), scale_of([Score(0.4, -0.1, 0.5)])
        ((0.0, 1.0), (-0.5, 1.0))
    """
    below = min([end for score in scores for end in score if is_defined(end)], default=0.0)
    return (0.0 if below >= 0 else max(-1.0, math.floor(2 * below) / 2)), 1.0


def mark(kind: str, score: Score, scale: tuple[float, float]) -> Mark:
    """Return a value with its interval as places on a scale, in percent."""

    def place(number: float) -> float | None:
        if not is_defined(number):
            return None
        share = min(max((number - scale[0]) / (scale[1] - scale[0]), 0.0), 1.0)
        return round(_MARGIN + (100 - 2 * _MARGIN) * share, 2)

    ends = (place(score.low), place(score.high)) if score.has_interval else (None, None)
    return Mark(kind, place(score.value), *ends)


def _subject(curves: list[Curve]) -> str:
    return f"the class {curves[0].name}" if len(curves) == 1 else f"{len(curves)} classes"


def _summary(evaluation: Evaluation, metric: str) -> str:
    if metric not in evaluation.metrics.index:
        return ""
    score = read_scores(evaluation.metrics)[metric]
    interval = f"{percent_of(evaluation)} interval {score.interval_text}"
    return f"{describe_metric(metric).name}: {score.value_text}, {interval}."
