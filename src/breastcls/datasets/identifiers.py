"""Uniform text for the names of cases and slides, so that equal names from different sources are equal."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

_WHOLE = re.compile(r"\d+\.0")


def format_names(values: pd.Series) -> pd.Series:
    """Return names as text, without surrounding whitespace, whole numbers without decimals.

    A missing value turns a column of integers into floats, in memory and in CSV files: 7 becomes 7.0. As text, it
    would be a different case than "7", and leakage between the two would not be found.

    Args:
        values: Text or numbers; missing values stay missing.

    Returns:
        A series with the same index and the dtype "string".

    Example:
        >>> format_names(pd.Series([7.0, None, " 7 ", "7.0", "7.5"], dtype=object)).tolist()
        ['7', <NA>, '7', '7', '7.5']
    """
    if pd.api.types.is_float_dtype(values) or values.dtype == object or pd.api.types.is_string_dtype(values):
        # Called for every selection of a dataset; distinct names are few, and nearly always unchanged.
        written = {name: _write(name) for name in values.dropna().unique()}
        if any(name != text for name, text in written.items()):
            values = values.map(written)
    return values.astype("string")


def _write(name: Any) -> str:
    if isinstance(name, (float, np.floating)) and float(name).is_integer():
        return str(int(name))
    text = str(name).strip()
    return text.removesuffix(".0") if _WHOLE.fullmatch(text) else text
