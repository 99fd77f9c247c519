"""The score under image perturbations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.any_table import in_words
from breastcls.evaluation.report.blocks import Block, Cell, Column, Details, FigureRow, Paragraph, Table, Verdict
from breastcls.evaluation.report.table_cells import score_cell, sort_value
from breastcls.evaluation.section import Section, SectionFigure
from breastcls.intervals.limitations import not_estimable_sentence
from breastcls.intervals.score_values import UNDEFINED, Score, read_scores
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_number, is_defined

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Losses of balanced accuracy from which a perturbation counts as a weakness, and as a serious one.
SMALL_LOSS, LARGE_LOSS = 0.05, 0.20


def robustness_table(robustness: pd.DataFrame, evaluation: EvaluationData) -> Table:
    """Return every perturbation and strength as a row, every metric as a column."""
    metrics = list(dict.fromkeys(robustness["metric"]))
    rows = []
    for key, part in robustness.groupby(["perturbation", "strength"], sort=False):
        name, strength = str(key[0]), float(str(key[1]))
        found = {row["metric"]: Score(row["value"], row["low"], row["high"]) for row in part.to_dict("records")}
        cells = [score_cell(found.get(metric, UNDEFINED)) for metric in metrics]
        units = [Cell(str(unit), str(unit)) for unit in part.get("unit", pd.Series(dtype=object))[:1]]
        rows.append((Cell(in_words(name), name), Cell(f"{strength:g}", sort_value(strength)), *units, *cells))
    columns = [Column("Perturbation", "text"), Column("Strength", "number")]
    columns += [Column("Unit of the strength", "text")] * ("unit" in robustness)
    columns += [Column(describe_metric(str(metric)).short, "number") for metric in metrics]
    caption = (
        f"The score on perturbed images, with {evaluation.percent} confidence intervals. All rows are "
        "computed on the same cases, so their differences are known more precisely than the intervals suggest."
    )
    caption = " ".join([caption, *evaluation.section_limitations.get("robustness", ())])
    return Table(caption, tuple(columns), tuple(rows))


def robustness_verdict(robustness: pd.DataFrame, evaluation: EvaluationData) -> Verdict | None:
    """Return the largest loss of balanced accuracy under any perturbation."""
    rows = robustness[robustness["metric"] == "balanced_accuracy"].reset_index(drop=True)
    if not np.isfinite(rows["value"]).any():
        return None
    worst = rows.iloc[int(rows["value"].argmin())]
    own = rows[(rows["perturbation"] == worst["perturbation"]) & (rows["strength"] == 0)]["value"]
    if own.empty or not is_defined(own.iloc[0]):
        return None
    unchanged = float(own.iloc[0])
    loss = unchanged - float(worst["value"])
    name = str(worst["perturbation"]).replace("_", " ").replace("-", " ")
    unit = f" ({worst['unit']})" if "unit" in worst else ""
    words = (
        f"Balanced accuracy {format_number(worst['value'])} at strength {worst['strength']:g}{unit}, "
        f"{format_number(unchanged)} on the unperturbed images."
    )
    headline = read_scores(evaluation.value_of("metrics")).get("balanced_accuracy")
    if headline is not None and headline.value_text != format_number(unchanged):
        words += (
            f" The {headline.value_text} of the headline was scored differently: with test-time augmentation, on other "
            "images or at another level."
        )
    text = f"The perturbation with the largest loss is {name}."
    if not_estimable_sentence(evaluation.counts):
        return Verdict("not-estimable", text, f"{words} Its CI is not estimable.")
    tone = "bad" if loss >= LARGE_LOSS else "caution" if loss >= SMALL_LOSS else "good"
    return Verdict(tone, text, words)


def perturbation_figures(robustness: pd.DataFrame) -> list[Markup]:
    """Return one figure per perturbation as HTML, with every metric in it."""
    from breastcls.drawing.figures import drawing_style, new_axes
    from breastcls.drawing.html_figure import figure_to_html
    from breastcls.robustness.robustness_figure import describe_perturbation, plot_perturbation

    figures = []
    for number, (_, rows) in enumerate(robustness.groupby("perturbation", sort=False)):
        with drawing_style():
            drawn = plot_perturbation(rows, axes=new_axes(None, width=65.0, height=58.0))
        figures.append(figure_to_html(drawn, describe_perturbation(rows), key=f"robustness-{number}"))
    return figures


def _report(robustness: pd.DataFrame, evaluation: EvaluationData) -> list[Block]:
    text = "The test images with perturbations of stain, focus, camera and file format that leave the tissue unchanged."
    return [
        Paragraph(text),
        FigureRow(perturbation_figures(robustness)),
        Details("Every strength", [robustness_table(robustness, evaluation)]),
    ]


def _draw(robustness: pd.DataFrame, evaluation: EvaluationData, axes: Axes | None) -> Figure:
    """Draw all perturbations; the figure has one panel for each and takes no axes."""
    from breastcls.robustness.robustness_figure import choose_metric, plot_strengths

    return plot_strengths(robustness, choose_metric(robustness, None))


SECTION = Section(
    name="robustness",
    title="Robustness",
    description="The score against the strength of each perturbation, one row per perturbation, strength and metric.",
    columns=("perturbation", "strength", "metric", "value", "low", "high"),
    figures=(SectionFigure("robustness", _draw),),
    report=_report,
    verdict=robustness_verdict,
)
