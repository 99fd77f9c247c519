"""The types of the columns that a user adds to the table of a dataset: centre, scanner, age ..."""

from __future__ import annotations

import math
import re

import pandas as pd
from pandas.api import types

from breastcls.identifiers import TEXT, clean_name

# Leading zeros belong to a name: "007" is no number.
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_LARGEST = 2**53


def type_further_column(values: pd.Series) -> pd.Series:
    """Return a column as booleans, whole numbers, numbers or clean text, all nullable.

    The type depends on the values alone, and not on the type that they have, so that writing and reading a CSV file
    does not change it: a text column in which every value is a number becomes numeric.

    Args:
        values: Any column. Empty text is missing.

    Returns:
        A series with the same index and the dtype "boolean", "Int64", "Float64" or "string".

    Example:
        >>> type_further_column(pd.Series(["1", "2.5", ""])).tolist()
        [1.0, 2.5, <NA>]
        >>> type_further_column(pd.Series(["007", " Lyon "])).tolist()
        ['007', 'Lyon']
    """
    if types.is_bool_dtype(values) and not values.isna().any():
        return values.astype("boolean")
    if types.is_integer_dtype(values) and values.dropna().between(-_LARGEST, _LARGEST).all():
        return values.astype("Int64")
    if types.is_float_dtype(values):
        return _numeric(values.astype("Float64"))
    present = {value: clean_name(str(value)) for value in values.dropna().unique()}
    texts = set(present.values()) - {""}
    if not texts:
        return pd.Series(pd.NA, index=values.index, dtype=TEXT)
    if texts <= {"True", "False"}:
        kept = {value: text == "True" for value, text in present.items() if text}
        return values.astype(object).map(kept).astype("boolean")
    if all(map(_NUMBER.fullmatch, texts)):
        numbers = {value: float(text) for value, text in present.items() if text}
        # A larger whole number is an identifier, which a floating-point number would change.
        exact = all(
            abs(numbers[value]) <= _LARGEST or not text.lstrip("-").isdigit() for value, text in present.items() if text
        )
        if exact and all(map(math.isfinite, numbers.values())):
            return _numeric(values.astype(object).map(numbers).astype("Float64"))
    return values.astype(object).map(lambda value: present[value] or None, na_action="ignore").astype(TEXT)


def _numeric(values: pd.Series) -> pd.Series:
    known = values.dropna()
    whole = bool(((known == known.round()) & (known.abs() <= _LARGEST)).all()) and len(known) > 0
    return values.astype("Int64") if whole else values
