"""The metrics in each group of the columns that the caller names, such as centre, scanner or age."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluation_context import EvaluationContext
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.any_table import group_blocks, group_table
from breastcls.evaluation.report.blocks import Block
from breastcls.evaluation.section import Section
from breastcls.evaluation.subgroup_columns import GROUP_COLUMNS
from breastcls.identifiers import TEXT
from breastcls.intervals.score_tables import score_groups
from breastcls.predictions.predictions import Predictions

_MOST_NUMBERS = 10
_QUARTERS = 4


def find_columns(predictions: Predictions, subgroups: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns to score by.

    Raises:
        EvaluationError: If there is no such column; the message lists the columns.
    """
    names = (subgroups,) if isinstance(subgroups, str) else tuple(dict.fromkeys(subgroups))
    known = [] if predictions.columns is None else list(map(str, predictions.columns))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise EvaluationError(
            f"subgroups names {unknown[0]!r}, which is no column of the images. Columns: {', '.join(known) or 'none'}. "
            "Read the images with load_table or load_folder(layout=...), or give Predictions the argument columns=. "
            "Subtype and magnification are scored without being named."
        )
    return names


def group_values(values: pd.Series) -> np.ndarray:
    """Return the group of each row as text, "" where the value is missing; numbers with many values by quarters.

    Example:
        >>> group_values(pd.Series(["Lyon", None], dtype="string")).tolist()
        ['Lyon', '']
        >>> group_values(pd.Series(range(40, 80), dtype="Int64"))[[0, 39]].tolist()
        ['40 to 49', '70 to 79']
    """
    if values.dtype in ("Int64", "Float64") and values.nunique() > _MOST_NUMBERS:
        numbers = values.astype(float)
        edges = np.unique(np.quantile(numbers.dropna(), np.linspace(0, 1, _QUARTERS + 1)[1:-1]))
        quarter = np.searchsorted(edges, numbers.fillna(np.inf), side="left")
        ends = numbers.groupby(quarter).agg(["min", "max"])
        names = {
            number: f"{low:.6g} to {high:.6g}" for number, (low, high) in zip(ends.index, ends.to_numpy(), strict=True)
        }
        found = ["" if unknown else names[of] for unknown, of in zip(values.isna(), quarter, strict=True)]
        return np.array(found, dtype=object)
    return values.astype(TEXT).fillna("").to_numpy(dtype=object)


def _compute(context: EvaluationContext) -> pd.DataFrame | None:
    scored, tables = context.scored, {}
    if scored.columns is None:
        return None
    for name in context.subgroups:
        values = scored.columns[name]
        groups = group_values(values)
        table = score_groups(scored, groups, "", "group", context.bootstrap)
        if table is not None:
            order = dict(zip(groups, values, strict=True))
            numeric = values.dtype in ("Int64", "Float64")
            ordered = sorted(table.index, key=lambda group: order[group] if numeric else str(group))
            tables[name] = table.loc[ordered]
    return pd.concat(tables, names=["column", "group"]) if tables else None


def _report(by_column: pd.DataFrame, evaluation: EvaluationData) -> list[Block]:
    blocks: list[Block] = []
    for name in by_column.index.unique(0):
        table = by_column.loc[name]
        # The note on all subgroups is shown once.
        blocks += (
            group_blocks(evaluation, table, str(name)) if not blocks else [group_table(evaluation, table, str(name))]
        )
    return blocks


SECTION = Section(
    name="by_column",
    title="By further columns",
    part="Subgroups",
    description="One row per group of the columns given as subgroups; each index is [column, group].",
    compute=_compute,
    columns=GROUP_COLUMNS,
    index=("column", "group"),
    rows="further column",
    report=_report,
)
