"""The tables of the report's further sections: levels, calibration, operating points, worst cases, attachments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from breastcls.evaluation.attachments import section_limitations
from breastcls.evaluation.report.provenance import describe_value
from breastcls.evaluation.report.report_tables import (
    GROUP_MEASURES,
    Cell,
    Column,
    Table,
    group_caption,
    group_table,
    interval_cell,
    score_cell,
    sort_value,
    value_cell,
)
from breastcls.evaluation.report.settings_text import percent_of, unit_of
from breastcls.intervals.score_values import Score, read_levels, read_scores
from breastcls.metrics.metric_descriptions import (
    describe_metric,
    describe_subtype,
    format_count,
    format_number,
    is_defined,
)

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation

# More rows than anybody reads make the page large; the JSON holds them all.
MOST_CASES = 25


def level_table(evaluation: Evaluation) -> Table | None:
    """Return the metrics by image, slide and case side by side, or None where only one level is known."""
    if evaluation.by_level is None:
        return None
    levels = read_levels(evaluation.by_level)
    if len(levels) < 2:
        return None
    rows = []
    for name in next(iter(levels.values())):
        words = describe_metric(name)
        rows.append((Cell(words.name, words.name), *(score_cell(scores[name]) for scores in levels.values())))
    method = evaluation.settings["aggregation"]["method"] or "mean"
    caption = (
        f"The same figures by {', by '.join(levels)}; {percent_of(evaluation)} intervals over cases below each. Images "
        f"are aggregated by {method}. By image a case with many pictures weighs more; by case each counts once."
    )
    return Table(
        caption, (Column("Metric", "text"), *(Column(f"By {level}", "number") for level in levels)), tuple(rows)
    )


def calibration_table(evaluation: Evaluation) -> Table | None:
    """Return the calibration errors and the parts of the Brier score."""
    if evaluation.calibration is None:
        return None
    calibration = evaluation.calibration
    by_chance = calibration.by_chance.to_dict("index")
    rows = []
    for name, score in read_scores(pd.concat([calibration.errors, calibration.gap, calibration.brier])).items():
        words = describe_metric(name)
        of_chance = Cell("")
        if name in by_chance:
            expected, upper = by_chance[name]["expected"], by_chance[name]["upper"]
            of_chance = Cell(f"{format_number(expected)}, up to {format_number(upper)}", sort_value(expected))
        rows.append((Cell(words.name, words.name, words.meaning), value_cell(score), interval_cell(score), of_chance))
    percent = percent_of(evaluation)
    columns = tuple(Column(title, "number") for title in ("Value", f"{percent} interval", "By chance alone"))
    columns = (Column("Figure", "text"), *columns)
    caption = (
        f"Of the probability of the {evaluation.calibration.claim}, in {evaluation.calibration.bins} bins; {percent} "
        "intervals over cases. Resampling makes calibration errors larger, so their intervals may lie above the value. "
        "“By chance alone” is what they would be on average had every claim been exactly true, and what they would "
        f"stay below in {percent} of such sets."
    )
    return Table(caption, columns, tuple(rows))


def bin_table(evaluation: Evaluation) -> Table | None:
    """Return the bins of the reliability diagram."""
    if evaluation.calibration is None:
        return None
    rows = []
    for row in evaluation.calibration.equal_mass.to_dict("records"):
        edges = f"{format_number(row['lower'])} to {format_number(row['upper'])}"
        rows.append(
            (
                Cell(edges, sort_value(row["lower"])),
                Cell(f"{row['images']:,}", str(row["images"])),
                Cell(f"{row['cases']:,}", str(row["cases"])),
                Cell(format_number(row["probability"]), sort_value(row["probability"])),
                score_cell(Score(row["frequency"], row["low"], row["high"])),
            )
        )
    titles = (f"{unit_of(evaluation).capitalize()}s", "Cases", "Claimed", "Found")
    columns = (Column("Probability", "number"), *(Column(title, "number") for title in titles))
    caption = "The bins of the reliability diagram: the mean probability claimed, and the share found."
    return Table(caption, columns, tuple(rows))


def operating_points(evaluation: Evaluation) -> Table | None:
    """Return what a decision means at each stated prevalence."""
    if evaluation.operating is None:
        return None
    measures = ("sensitivity", "specificity", "ppv", "npv")
    several = evaluation.operating.index.unique(0).size > 1
    rows = []
    for (threshold, prevalence), row in zip(
        evaluation.operating.index, evaluation.operating.to_dict("records"), strict=True
    ):
        cells = [Cell(f"{100 * prevalence:.3g}%", sort_value(prevalence))]
        cells += [Cell(format_number(threshold, 2), sort_value(threshold))] * several
        cells += [score_cell(Score(row[name], row[f"{name}_low"], row[f"{name}_high"])) for name in measures]
        rows.append(tuple(cells))
    columns = [Column("Prevalence", "number"), *([Column("Threshold", "number")] * several)]
    columns += [Column(describe_metric(name).short, "number") for name in measures]
    positive = evaluation.predictions.classes[-1]
    caption = (
        f"What “{positive}” and “not {positive}” mean where that share of the {unit_of(evaluation)}s is {positive}; "
        f"{percent_of(evaluation)} intervals over cases. Sensitivity and specificity are taken to stay as they are "
        "here, which another place may not grant."
    )
    return Table(caption, tuple(columns), tuple(rows))


def worst_case_table(evaluation: Evaluation) -> Table | None:
    """Return the cases with the largest share of mistakes, or None where cases are not known or none went wrong."""
    if evaluation.worst_cases is None:
        return None
    wrong = evaluation.worst_cases[evaluation.worst_cases["mistakes"] > 0]
    if wrong.empty:
        return None
    rows = []
    has_subtype = "subtype" in wrong
    for name, row in zip(wrong.index[:MOST_CASES], wrong[:MOST_CASES].to_dict("records"), strict=True):
        cells = [Cell(str(name), str(name)), Cell(str(row["class"]), str(row["class"]))]
        cells += [Cell(describe_subtype(str(row["subtype"])), str(row["subtype"]))] if has_subtype else []
        cells += [Cell(f"{row[count]:,}", str(row[count])) for count in ("images", "mistakes")]
        cells.append(Cell(f"{100 * row['error']:.0f}%", sort_value(row["error"])))
        cells.append(Cell(format_number(row["probability"], 2), sort_value(row["probability"])))
        rows.append(tuple(cells))
    columns = [Column("Case", "text"), Column("Class", "text"), *([Column("Subtype", "text")] * has_subtype)]
    columns += [Column(title, "number") for title in ("Images", "Mistakes", "Wrong", "Probability of the truth")]
    shown = "all of them" if len(rows) == len(wrong) else f"the worst {len(rows)} are shown"
    caption = (
        f"{format_count(len(wrong), 'case')} of {len(evaluation.worst_cases):,} with a mistake, {shown}, by image, the "
        "largest share of mistakes first."
    )
    return Table(caption, tuple(columns), tuple(rows))


def attached_groups(evaluation: Evaluation) -> list[tuple[str, Table]]:
    """Return the groups by stain and by sharpness, where attached."""
    groups = (("By stain", "Stain", evaluation.by_stain), ("By sharpness", "Sharpness", evaluation.by_sharpness))
    return [
        (name, group_table(table, title, _measures_of(table) or GROUP_MEASURES, group_caption(evaluation)))
        for name, title, table in groups
        if table is not None
    ]


def free_table(evaluation: Evaluation, table: pd.DataFrame, title: str, caption: str) -> Table:
    """Return any table whose index names the rows; `x_low` and `x_high` are the interval of `x`."""
    names = [str(name) for name in table.columns]
    bounds = {f"{name}_{end}" for name in names for end in ("low", "high")}
    shown = [name for name in names if name not in bounds]
    numbers = {name for name in shown if pd.api.types.is_numeric_dtype(table[name])}
    columns = [Column(title, "text")]
    columns += [Column(_short_title(name), "number" if name in numbers else "text") for name in shown]
    rows = []
    for key, row in zip(table.index, table.to_dict("records"), strict=True):
        heading = ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)
        cells = [_free_cell(row, name, name in numbers) for name in shown]
        rows.append((Cell(heading, heading), *cells))
    return Table(
        f"{caption} {percent_of(evaluation)} intervals over cases below each figure.", tuple(columns), tuple(rows)
    )


def robustness_table(evaluation: Evaluation) -> Table | None:
    """Return every perturbation and strength as a row, every metric as a column."""
    if evaluation.robustness is None:
        return None
    metrics = list(dict.fromkeys(evaluation.robustness["metric"]))
    rows = []
    for key, part in evaluation.robustness.groupby(["perturbation", "strength"], sort=False):
        name, strength = str(key[0]), float(str(key[1]))
        found = {row["metric"]: Score(row["value"], row["low"], row["high"]) for row in part.to_dict("records")}
        nothing = Score(np.nan, np.nan, np.nan)
        cells = [score_cell(found.get(metric, nothing)) for metric in metrics]
        rows.append((Cell(_in_words(name), name), Cell(f"{strength:g}", sort_value(strength)), *cells))
    columns = [Column("What was done", "text"), Column("Strength", "number")]
    columns += [Column(describe_metric(str(metric)).short, "number") for metric in metrics]
    caption = (
        f"The score after the images were altered; {percent_of(evaluation)} intervals over cases below each figure. "
        "All rows stand on the same cases, so their differences are surer than the intervals suggest."
    )
    caption = " ".join([caption, *section_limitations(evaluation.limitations, "robustness")])
    return Table(caption, tuple(columns), tuple(rows))


def conformal_facts(conformal: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is known of prediction sets, but for its tables, as pairs of title and text."""
    return [
        (_in_words(str(key)), describe_value(value))
        for key, value in conformal.items()
        if not isinstance(value, pd.DataFrame) and value is not None
    ]


def conformal_tables(evaluation: Evaluation, conformal: Mapping[str, Any]) -> list[Table]:
    """Return the tables among what is known of prediction sets."""
    return [
        free_table(evaluation, value, _in_words(str(value.index.name or "")), f"{_in_words(str(key))}.")
        for key, value in conformal.items()
        if isinstance(value, pd.DataFrame)
    ]


def _measures_of(table: pd.DataFrame) -> Sequence[str]:
    return [str(name) for name in table.columns if f"{name}_low" in table.columns]


def _free_cell(row: Mapping[Any, Any], name: str, number: bool) -> Cell:
    value = row[name]
    if not number:
        return Cell(describe_value(value) if value is not None else "", str(value))
    if f"{name}_low" in row:
        return score_cell(Score(value, row[f"{name}_low"], row[f"{name}_high"]))
    if not is_defined(value):
        return Cell("not defined", "", undefined=True)
    whole = isinstance(value, int) or (float(value).is_integer() and abs(value) >= 2)
    return Cell(f"{value:,.0f}" if whole else format_number(value), sort_value(value))


def _short_title(name: str) -> str:
    changed = name.removesuffix("_change")
    return describe_metric(name).short if changed == name else f"{describe_metric(changed).short}, change"


def _in_words(name: str) -> str:
    words = name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]
