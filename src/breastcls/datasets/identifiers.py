"""Names of cases, slides and the like, written in one way wherever they come from, so that equal ones meet."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

_WHOLE = re.compile(r"\d+\.0")


def write_names(values: pd.Series) -> pd.Series:
    """Return names as text, without blanks around them, whole numbers without decimals.

    One gap turns a column of numbers into one of decimals, in memory and in a file: 7 becomes 7.0. Written so it would
    be another case than "7", and no leak between the two would be found.

    Args:
        values: Text, numbers or whatever else names something; gaps stay gaps.

    Returns:
        The same rows, dtype "string".

    Example:
        >>> write_names(pd.Series([7.0, None, " 7 ", "7.0", "7.5"], dtype=object)).tolist()
        ['7', <NA>, '7', '7', '7.5']
    """
    if pd.api.types.is_float_dtype(values) or values.dtype == object or pd.api.types.is_string_dtype(values):
        # Every selection of a dataset comes by: names are far fewer than rows, and nearly always as they should be.
        written = {name: _write(name) for name in values.dropna().unique()}
        if any(name != text for name, text in written.items()):
            values = values.map(written)
    return values.astype("string")


def _write(name: Any) -> str:
    if isinstance(name, (float, np.floating)) and float(name).is_integer():
        return str(int(name))
    text = str(name).strip()
    return text.removesuffix(".0") if _WHOLE.fullmatch(text) else text
