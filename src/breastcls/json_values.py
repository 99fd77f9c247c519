"""Conversion of NumPy and pandas values to JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def table_to_dict(table: pd.DataFrame) -> dict[str, Any]:
    """Return a table as `index`, `columns` and `data` (rows of cells).

    NaN becomes None; the entries of a MultiIndex become lists.

    Example:
        >>> table_to_dict(pd.DataFrame({"value": [0.5, float("nan")]}, index=["recall", "mcc"]))
        {'index': ['recall', 'mcc'], 'columns': ['value'], 'data': [[0.5], [None]]}
    """
    return {
        "index": [to_json_values(value) for value in table.index.tolist()],
        "columns": [str(name) for name in table.columns],
        "data": [[to_json_values(value) for value in row] for row in table.astype(object).to_numpy().tolist()],
    }


def to_json_values(value: Any) -> Any:
    """Convert a value to dicts, lists, numbers, strings, booleans and None; NaN and infinity become None.

    Example:
        >>> to_json_values({"share": np.float32(0.5), 40: (np.int64(1), float("nan"))})
        {'share': 0.5, '40': [1, None]}
    """
    if isinstance(value, pd.DataFrame):
        return table_to_dict(value)
    if isinstance(value, Mapping):
        return {str(key): to_json_values(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json_values(inner) for inner in value]
    if isinstance(value, (np.ndarray, pd.Series)):
        return [to_json_values(inner) for inner in value.tolist()]
    if isinstance(value, np.generic):
        return to_json_values(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or value is pd.NA or isinstance(value, (str, int, bool)):
        return None if value is pd.NA else value
    return str(value)
