"""What may be attached to an evaluation as the report draws it: robustness, and risk against coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from breastcls.evaluation.report.chart import (
    Axis,
    Chart,
    DrawnCurve,
    band_between,
    level_line,
    path_through,
    to_drawing,
)
from breastcls.evaluation.report.report_drawing import band_name
from breastcls.metrics.metric_descriptions import describe_metric, format_number

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation

MOST_TICKS = 6


def draw_robustness(evaluation: Evaluation) -> list[Chart]:
    """Return one chart a perturbation: every metric against the strength."""
    if evaluation.robustness is None:
        return []
    return [
        _strengths(evaluation, str(name), rows, number)
        for number, (name, rows) in enumerate(evaluation.robustness.groupby("perturbation", sort=False))
    ]


def _strengths(evaluation: Evaluation, name: str, rows: pd.DataFrame, number: int) -> Chart:
    strengths = np.unique(rows["strength"].to_numpy(np.float64))
    unit = str(rows["unit"].iloc[0]) if "unit" in rows else "Strength"
    ends = (strengths.min(), strengths.max()) if len(strengths) > 1 else (strengths[0] - 0.5, strengths[0] + 0.5)
    marked = strengths if len(strengths) <= MOST_TICKS else strengths[[0, len(strengths) // 2, -1]]
    x = Axis(
        unit[:1].upper() + unit[1:], *ends, tuple((float(place), f"{place:g}".replace("-", "−")) for place in marked)
    )
    y = Axis("Score")
    curves = []
    words = []
    for place, (metric, line) in enumerate(rows.groupby("metric", sort=False)):
        line = line.sort_values("strength")
        at, value = (line[column].to_numpy(np.float64) for column in ("strength", "value"))
        low, high = (line[column].to_numpy(np.float64) for column in ("low", "high"))
        title = describe_metric(str(metric)).short
        known = np.isfinite(value)
        clipped = np.clip(value, 0, 1)
        points = tuple((*to_drawing(a, b, (x, y)), None, None) for a, b in zip(at[known], clipped[known], strict=True))
        curves.append(
            DrawnCurve(
                title,
                place,
                path_through(at[known], clipped[known], (x, y)),
                band_between(at, low, high, (x, y)),
                points,
            )
        )
        words.append(f"{title} is {format_number(value[0])} at {at[0]:g} and {format_number(value[-1])} at {at[-1]:g}.")
    title = name.replace("_", " ").replace("-", " ")
    return Chart(
        f"robustness-{number}",
        title[:1].upper() + title[1:],
        f"Scores against the strength of {title}. {' '.join(words)}",
        "The score against the strength of the alteration.",
        x,
        y,
        tuple(curves),
        (("chance", level_line(0.5, (x, y))),) if len(evaluation.predictions.classes) == 2 else (),
        band_name=band_name(evaluation),
    )


def draw_risk_coverage(evaluation: Evaluation) -> Chart | None:
    """Return the share of mistakes among what is kept, against the share that is kept."""
    table = evaluation.risk_coverage
    if table is None:
        return None
    table = table.sort_values("coverage")
    at, risk = table["coverage"].to_numpy(np.float64), table["risk"].to_numpy(np.float64)
    low, high = (table[column].to_numpy(np.float64) for column in ("low", "high"))
    top = float(np.nanmax(np.concatenate([risk, high[np.isfinite(high)], [0.05]])))
    step = next((step for step in (0.05, 0.1, 0.2) if top <= 5 * step), 0.25)
    places = np.arange(0, int(np.ceil(top / step - 1e-9)) + 1) * step
    x = Axis("Coverage: share of the images decided")
    y = Axis(
        "Risk: share of mistakes among them", 0.0, float(places[-1]), tuple((p, f"{p:g}") for p in places.round(2))
    )
    curve = DrawnCurve("model", 0, path_through(at, risk, (x, y)), band_between(at, low, high, (x, y)))
    return Chart(
        "risk-coverage",
        "Risk and coverage",
        f"Share of mistakes against the share of images decided: {format_number(risk[-1])} where all are decided, "
        f"{format_number(risk[0])} at the lowest coverage of {format_number(at[0], 2)}.",
        "The least certain images are handed to somebody else first. A curve that falls to the left means that the "
        "model knows when it does not know.",
        x,
        y,
        (curve,),
        band_name=band_name(evaluation),
    )
