"""Probabilities as the report draws them: reliability, the spread of the risk, and net benefit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from breastcls.evaluation.report.chart import (
    SIDE,
    TOP,
    Axis,
    Chart,
    DrawnCurve,
    band_between,
    level_line,
    path_through,
    to_drawing,
)
from breastcls.evaluation.report.report_drawing import band_name
from breastcls.evaluation.report.settings_text import percent_of, unit_of
from breastcls.intervals.score_values import read_scores
from breastcls.metrics.metric_descriptions import format_number

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation

_TICKS = {0.05: 2, 0.1: 1, 0.2: 1, 0.25: 2, 0.5: 1, 1.0: 0}


def draw_reliability(evaluation: Evaluation) -> Chart | None:
    """Return the reliability diagram: what was found against what was claimed, in bins of equally many images."""
    if evaluation.calibration is None:
        return None
    table = evaluation.calibration.equal_mass
    classes = evaluation.predictions.classes
    of_class = evaluation.calibration.claim == "positive class"
    x = Axis(f"Claimed probability of {classes[-1]}" if of_class else "Claimed probability of the class decided")
    y = Axis(f"Share found to be {classes[-1]}" if of_class else "Share decided rightly")
    points = []
    for row in table.to_dict("records"):
        place = to_drawing(row["probability"], row["frequency"], (x, y))
        ends = [
            None if pd.isna(row[end]) else to_drawing(row["probability"], row[end], (x, y))[1]
            for end in ("low", "high")
        ]
        points.append((*place, ends[0], ends[1]))
    curve = DrawnCurve(
        "found",
        0,
        path_through(table["probability"].to_numpy(np.float64), table["frequency"].to_numpy(np.float64), (x, y)),
        points=tuple(points),
    )
    error = read_scores(evaluation.calibration.errors)["ece_equal_mass"]
    return Chart(
        "reliability",
        "Reliability diagram",
        f"Reliability diagram of {len(table)} bins. Expected calibration error {error.value_text}, "
        f"{percent_of(evaluation)} interval {error.interval_text}. "
        + " ".join(
            f"Claimed {format_number(row['probability'], 2)}, found {format_number(row['frequency'], 2)}."
            for row in table.to_dict("records")
        ),
        f"Each point holds about as many {unit_of(evaluation)}s, with a {percent_of(evaluation)} interval over cases. "
        "Below the line the model claims too much, above it too little.",
        x,
        y,
        (curve,),
        (("claimed = found", path_through(np.array([0.0, 1.0]), np.array([0.0, 1.0]))),),
    )


def draw_risk_histogram(evaluation: Evaluation) -> Chart | None:
    """Return the predicted risk of each class as columns."""
    table = evaluation.risk_histogram
    if table is None:
        return None
    highest = float(table["share"].max())
    two = len(evaluation.predictions.classes) == 2
    y = _axis_up_to(f"Share of the {'class' if two else 'decisions'}", highest)
    x = _risk_axis(evaluation)
    curves = []
    groups = list(table.groupby("group", sort=False))
    for number, (name, rows) in enumerate(groups):
        columns = []
        for row in rows.to_dict("records"):
            width = (row["upper"] - row["lower"]) / len(groups)
            left, top = to_drawing(row["lower"] + number * width, row["share"], (x, y))
            right, _ = to_drawing(row["lower"] + (number + 1) * width, 0.0, (x, y))
            if row["share"] > 0:
                columns.append((left, top, round(right - left, 1), round(TOP + SIDE - top, 1)))
        curves.append(DrawnCurve(str(name), number, columns=tuple(columns)))
    return Chart(
        "risk-histogram",
        "Predicted risk" if two else "Claimed probability",
        "Histogram of the predicted probability. "
        + " ".join(f"{name}: {_spread_in_words(rows)}" for name, rows in groups),
        f"How the {unit_of(evaluation)}s of each class are spread over the predicted risk."
        if two
        else "How right and wrong decisions are spread over the probability that was claimed for them.",
        x,
        y,
        tuple(curves),
        _threshold_line(evaluation, x, y),
    )


def draw_cumulative_risk(evaluation: Evaluation) -> Chart | None:
    """Return the share of each class below each predicted risk, with bands over cases."""
    table = evaluation.risk_histogram
    if table is None:
        return None
    x = _risk_axis(evaluation)
    two = len(evaluation.predictions.classes) == 2
    y = Axis("Share of the class below that risk" if two else "Share of the decisions below that")
    curves = []
    for number, (name, rows) in enumerate(table.groupby("group", sort=False)):
        across, up = (np.concatenate([[0.0], rows[column].to_numpy(np.float64)]) for column in ("upper", "cumulative"))
        low, high = (np.concatenate([[0.0], rows[column].to_numpy(np.float64)]) for column in ("low", "high"))
        curves.append(
            DrawnCurve(str(name), number, path_through(across, up, (x, y)), band_between(across, low, high, (x, y)))
        )
    return Chart(
        "cumulative-risk",
        "Cumulative risk" if two else "Claimed probability, added up",
        f"Cumulative share of each {'class' if two else 'kind of decision'} against the predicted probability. "
        + " ".join(f"{name}: {_spread_in_words(rows)}" for name, rows in table.groupby("group", sort=False)),
        "Read upwards from a threshold: the share of each class that stays below it. The further apart the curves, the "
        "better the classes are told apart."
        if two
        else "Read upwards from a probability: the share of right and of wrong decisions that claimed less. The "
        "further apart the curves, the better the model knows when it is right.",
        x,
        y,
        tuple(curves),
        _threshold_line(evaluation, x, y),
        band_name=band_name(evaluation),
    )


def draw_decision_curve(evaluation: Evaluation) -> Chart | None:
    """Return net benefit against the threshold probability."""
    table = evaluation.decision_curve
    if table is None:
        return None
    at = table.index.to_numpy(np.float64)
    x = Axis("Threshold probability")
    shown = table[["model", "all", "high"]].to_numpy(np.float64)
    y = _axis_up_to("Net benefit", float(np.nanmax([np.nanmax(shown), 0.05])), below=True)
    axes = (x, y)
    clipped = {name: np.clip(table[name].to_numpy(np.float64), y.low, y.high) for name in table.columns}
    inside = table["all"].to_numpy(np.float64) > y.low
    last = min(int(inside.sum()) + 1, len(at))
    curve = DrawnCurve(
        "model", 0, path_through(at, clipped["model"], axes), band_between(at, clipped["low"], clipped["high"], axes)
    )
    useful = at[(table["model"] > table["all"]) & (table["model"] > 0)]
    words = f"from {format_number(useful.min(), 2)} to {format_number(useful.max(), 2)}" if len(useful) else "at none"
    return Chart(
        "decision-curve",
        "Decision curve",
        f"Net benefit against the threshold probability. The model is above both calling every image "
        f"{evaluation.predictions.classes[-1]} and calling none so at threshold probabilities {words}.",
        "Found positives less false alarms, weighed at the threshold probability, per "
        f"{unit_of(evaluation)}. The model is of use where it is above both other lines.",
        x,
        y,
        (curve,),
        (
            (f"call all {evaluation.predictions.classes[-1]}", path_through(at[:last], clipped["all"][:last], axes)),
            ("call none", level_line(0.0, axes)),
        ),
        band_name=band_name(evaluation),
    )


def _risk_axis(evaluation: Evaluation) -> Axis:
    classes = evaluation.predictions.classes
    return Axis(f"Predicted probability of {classes[-1]}" if len(classes) == 2 else "Probability of the class decided")


def _threshold_line(evaluation: Evaluation, x: Axis, y: Axis) -> tuple[tuple[str, str], ...]:
    at = evaluation.predictions.threshold
    if at is None or not 0 <= at <= 1:
        return ()
    name = f"threshold {format_number(at, 2)}"
    return ((name, path_through(np.array([at, at]), np.array([y.low, y.high]), (x, y))),)


def _axis_up_to(name: str, highest: float, *, below: bool = False) -> Axis:
    """Return an axis from 0, or a little below, to just above `highest`, with round ticks."""
    step = next((step for step in _TICKS if highest <= 5 * step), 1.0)
    count = max(1, int(np.ceil(highest / step - 1e-9)))
    places = [number * step for number in range(-1 if below else 0, count + 1)]
    labels = [f"{place:.{_TICKS[step]}f}".replace("-", "−") for place in places]
    return Axis(name, places[0], places[-1], tuple(zip(places, labels, strict=True)))


def _spread_in_words(rows: pd.DataFrame) -> str:
    below = rows.loc[rows["upper"] <= 0.5 + 1e-9, "share"].sum()
    return f"{100 * below:.0f}% below 0.5, {100 * (1 - below):.0f}% from 0.5 on."
