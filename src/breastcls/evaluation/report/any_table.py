"""Any table of an evaluation as a table of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.blocks import Block, Cell, Column, Paragraph, Table
from breastcls.evaluation.report.provenance import describe_value
from breastcls.evaluation.report.table_cells import count_cell, score_cell, sort_value, text_cell
from breastcls.intervals.limitations import RAREST
from breastcls.intervals.score_values import Score
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_number, is_defined

_GROUPS = (
    "Few cases make wide intervals; with fewer than five cases of a class they are likely too narrow: see the cases of "
    "the rarest class of each group. Within a group of one class balanced accuracy and ROC AUC are not defined."
)
GROUP_METRICS = ("accuracy", "balanced_accuracy", "roc_auc")


def any_table(evaluation: EvaluationData, table: pd.DataFrame, title: str, caption: str) -> Table:
    """Return any table whose index names the rows; `x_low` and `x_high` are the confidence interval of `x`.

    Args:
        evaluation: Which the confidence of the intervals is taken from.
        table: The table.
        title: Title of the column of row names.
        caption: What the table shows.
    """
    names = [str(name) for name in table.columns]
    bounds = ({f"{name}_{end}" for name in names for end in ("low", "high", "reason")} | {"reason"}) & set(names)
    shown = [name for name in names if name not in bounds]
    numbers = {name for name in shown if pd.api.types.is_numeric_dtype(table[name])}
    columns = [Column(title, "text")]
    columns += [Column(_short_title(name), "number" if name in numbers else "text") for name in shown]
    rows = []
    for key, row in zip(table.index, table.to_dict("records"), strict=True):
        heading = ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)
        rows.append((text_cell(heading), *(_any_cell(row, name, name in numbers) for name in shown)))
    below = f" With {evaluation.percent} confidence intervals." if bounds else ""
    return Table(f"{caption}{below}".strip(), tuple(columns), tuple(rows))


def group_table(evaluation: EvaluationData, table: pd.DataFrame, title: str, groups: str = "") -> Table:
    """Return a table of subgroups: their counts, and each metric with its confidence interval below it.

    Args:
        evaluation: Which the confidence of the intervals is taken from.
        table: The table.
        title: Title of the column of the groups.
        groups: What the groups are, with the unit of their values; the title if empty.
    """
    own = [str(name) for name in table.columns if f"{name}_low" in table.columns]
    return metrics_by_row(
        table, title, own or GROUP_METRICS, f"{groups or title}, with {evaluation.percent} CI over cases."
    )


def group_blocks(evaluation: EvaluationData, table: pd.DataFrame, title: str, groups: str = "") -> list[Block]:
    """Return the note on all subgroups, which the report shows once, and the table of these."""
    return [Paragraph(_GROUPS, note=True), group_table(evaluation, table, title, groups)]


def metrics_by_row(table: pd.DataFrame, title: str, metrics: Sequence[str], caption: str) -> Table:
    """Return the counts of each row of a table, and each metric with its confidence interval below it."""
    counts = [name for name in ("images", "slides", "cases", RAREST) if name in table and table[name].notna().any()]
    # A metric that is defined in no row would be a column of "not defined".
    shown = [name for name in metrics if name in table.columns and table[name].notna().any()]
    columns = [Column(title, "text"), *(Column(describe_metric(name).name, "number") for name in counts)]
    columns += [Column(describe_metric(name).short, "number") for name in shown]
    rows = []
    for name, row in zip(table.index, table.to_dict("records"), strict=True):
        cells = [text_cell(str(name)), *(count_cell(row[count]) for count in counts)]
        for metric in shown:
            ends = (row.get(f"{metric}_low", float("nan")), row.get(f"{metric}_high", float("nan")))
            cells.append(score_cell(Score(row[metric], *ends)))
        rows.append(tuple(cells))
    return Table(caption, tuple(columns), tuple(rows))


def in_words(name: str) -> str:
    """Return a key as a title.

    Example:
        >>> in_words("images_covered")
        'Images covered'
    """
    words = name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def _any_cell(row: Mapping[Any, Any], name: str, number: bool) -> Cell:
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
