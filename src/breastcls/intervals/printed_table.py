"""A table that prints whole: every column and row, whatever the width of the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from breastcls.html_parts import html_table, html_text
from breastcls.metrics.number_format import format_estimate, format_number
from breastcls.text_tables import limitation_lines, wide_table

ENDS = ("low", "high", "reason")


class PrintedTable(pd.DataFrame):
    """A DataFrame that prints and shows itself whole; what is selected from it is a plain DataFrame.

    A value `x` with the columns `x_low` and `x_high`, or the one before columns `low` and `high`, prints as one column
    with its confidence interval; all columns are there under their own names. Below are its limitations, the sentences
    in `table.attrs["limitations"]`.

    Example:
        >>> table = PrintedTable(
        ...     {"roc_auc": [0.8912], "roc_auc_low": [0.801], "roc_auc_high": [0.95]}, index=["colour"])
        >>> table
                roc_auc
        colour  0.891 (0.801–0.950)
        >>> table["roc_auc_low"].item()
        0.801
    """

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        rows, names = table_cells(self)
        return "\n".join([wide_table(rows, names=names), *limitation_lines(self.attrs.get("limitations", ()))])

    def _repr_html_(self) -> str:
        rows, names = table_cells(self)
        return html_table(rows, names=names) + html_text("\n".join(limitation_lines(self.attrs.get("limitations", ()))))


def table_cells(table: pd.DataFrame, digits: int = 3) -> tuple[list[list[str]], int]:
    """Return the header and the rows of a table as text, and how many of the first columns name the row.

    A value and its bounds are one cell; the columns keep their names.
    """
    columns = [str(name) for name in table.columns]
    ends = {name: f"{name}_" for name in columns if f"{name}_low" in columns}
    if {"low", "high"} <= set(columns) and columns.index("low"):
        ends[columns[columns.index("low") - 1]] = ""
    bounds = {f"{prefix}{end}" for prefix in ends.values() for end in ENDS}
    shown = [name for name in columns if name not in bounds]
    numbered = isinstance(table.index, pd.RangeIndex) and table.index.name is None
    named = [] if numbered else [str(name or "") for name in table.index.names]
    rows = [[*named, *shown]]
    for key, row in zip(table.index, table.to_dict("records"), strict=True):
        keys = [] if numbered else [_cell(part, digits) for part in (key if isinstance(key, tuple) else (key,))]
        cells = [
            format_estimate(row[name], row[f"{ends[name]}low"], row[f"{ends[name]}high"], digits)
            if name in ends
            else _cell(row[name], digits)
            for name in shown
        ]
        rows.append([*keys, *cells])
    return rows, len(named)


def _cell(value: Any, digits: int) -> str:
    if isinstance(value, (float, np.floating)):
        return "-" if np.isnan(value) else format_number(value, digits)
    return "-" if value is None or value is pd.NA else str(value)
