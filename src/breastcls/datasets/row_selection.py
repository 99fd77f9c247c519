"""Rows of the table of a dataset that satisfy conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from breastcls.errors import DatasetError
from breastcls.identifiers import format_name


def select_rows(
    table: pd.DataFrame, condition: Callable[[pd.DataFrame], Any] | Any, equals: Mapping[str, Any]
) -> np.ndarray:
    """Return a mask of the rows that satisfy all conditions; see `Dataset.where`.

    Args:
        table: The table.
        condition: A mask, a function that returns one for a copy of the table, or None.
        equals: By column, the value or list of values to select.

    Returns:
        A boolean array of shape (n,).

    Raises:
        DatasetError: If a column does not exist, or the mask has another shape or type.
    """
    keep = np.ones(len(table), dtype=bool)
    if condition is not None:
        mask = np.asarray(condition(table.copy()) if callable(condition) else condition)
        if mask.shape != (len(table),) or mask.dtype != bool:
            raise DatasetError(
                f"The condition must be {len(table)} booleans; found shape {mask.shape}, dtype {mask.dtype}."
            )
        keep &= mask
    for column, wanted in equals.items():
        keep &= _equal(require_column(table, column), wanted)
    return keep


def require_column(table: pd.DataFrame, column: str) -> pd.Series:
    """Return a column.

    Raises:
        DatasetError: If it does not exist; the message lists the columns.
    """
    if column not in table:
        raise DatasetError(f"There is no column {column!r}. Existing columns: {', '.join(table.columns)}.")
    return table[column]


def describe_conditions(condition: Any, equals: Mapping[str, Any]) -> str:
    """Return the conditions as text, for a message."""
    found = [f"{name}={value!r}" for name, value in equals.items()] + (["the mask"] if condition is not None else [])
    return ", ".join(found) or "the condition"


def _equal(values: pd.Series, wanted: Any) -> np.ndarray:
    several = list(wanted) if isinstance(wanted, (list, tuple, set, frozenset, np.ndarray)) else [wanted]
    if values.dtype == "string" and values.name != "path":
        # As the names of the table: 7, 7.0 and "7 " are the case "7".
        several = [format_name(value) for value in several]
    elif values.dtype in ("Int64", "Float64"):
        several = [_number(value) for value in several]
    return values.isin(several).to_numpy(dtype=bool)


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
