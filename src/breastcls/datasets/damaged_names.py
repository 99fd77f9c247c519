"""Names in a table that may stand for no value or for several: error values of spreadsheets, "NA", rounded numbers."""

from __future__ import annotations

import re
import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.errors import DatasetError, DatasetWarning
from breastcls.identifiers import clean_name
from breastcls.text_tables import format_count

_NAMES = ("label", "case", "slide")
_ERRORS = {"#n/a", "#ref!", "#value!", "#div/0!", "#name?", "#num!", "#null!", "#spill!", "#calc!"}
_MISSING = {"na", "n/a", "n.a.", "nan", "nat", "null", "none", "<na>", "-", "--", "?"}
_ROUNDED = re.compile(r"[+-]?\d([.,]\d+)?e\+?\d{2,}", re.IGNORECASE)


def check_names(frame: pd.DataFrame, name: str) -> None:
    """Refuse error values of spreadsheets as names of classes, cases and slides, and warn of other doubtful names.

    Args:
        frame: A table of images.
        name: Name of the table, for messages.

    Raises:
        DatasetError: If a name is an error value of a spreadsheet.

    Warns:
        DatasetWarning: If a name usually marks a missing value, or is a number in scientific notation.

    Example:
        >>> check_names(pd.DataFrame({"case": ["7", "#REF!"]}), "The table")
        Traceback (most recent call last):
        ...
        breastcls.errors.DatasetError: The table: column 'case' has '#REF!' in 1 row, first in row 1...
    """
    for column in _NAMES:
        if column not in frame:
            continue
        values = frame[column].map(lambda value: clean_name(value) if isinstance(value, str) else "")
        lower = values.str.lower()
        if (wrong := lower.isin(_ERRORS).to_numpy(bool)).any():
            raise DatasetError(
                f"{_describe(values, wrong, name, column)}, an error value of a spreadsheet. Write the names, or leave "
                "the cells empty."
            )
        if (wrong := lower.isin(_MISSING).to_numpy(bool)).any():
            _warn(
                f"{_describe(values, wrong, name, column)}, which is read as a name. If it marks a missing value, "
                "leave the cells empty."
            )
        if (wrong := lower.map(lambda value: _ROUNDED.fullmatch(value) is not None).to_numpy(bool)).any():
            _warn(
                f"{_describe(values, wrong, name, column)}, a number in scientific notation. A spreadsheet may have "
                "rounded different names to one number: format the column as text."
            )


def _describe(values: pd.Series, wrong: npt.NDArray[np.bool_], name: str, column: str) -> str:
    first = int(wrong.argmax())
    rows = format_count(int(wrong.sum()), "row")
    return f"{name}: column {column!r} has {values.iloc[first]!r} in {rows}, first in row {first}"


def _warn(message: str) -> None:
    warnings.warn(message, DatasetWarning, stacklevel=4)
