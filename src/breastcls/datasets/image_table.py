"""The table of a dataset: its columns, their types, and the validation of rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from breastcls.datasets.identifiers import format_names
from breastcls.errors import DatasetError

CLASSES_LINE = "# classes: "
TEXT_COLUMNS = ("path", "label", "case", "slide", "subtype", "source")
# These columns are compared between tables, so that their text must be uniform; see `format_names`.
NAMES = ("case", "slide")
COLUMNS = ("path", "label", "case", "slide", "magnification", "subtype", "x", "y", "source")
REQUIRED = ("path", "label", "case")

MALIGNANCY = ("benign", "malignant")
BENIGN_SUBTYPES = ("A", "F", "PT", "TA")
MALIGNANT_SUBTYPES = ("DC", "LC", "MC", "PC")
SUBTYPES = BENIGN_SUBTYPES + MALIGNANT_SUBTYPES


def make_table(columns: pd.DataFrame | Mapping[str, Any]) -> pd.DataFrame:
    """Return a table with all of `COLUMNS`, in order and typed, with rows numbered from zero.

    Args:
        columns: At least `path`, `label` and `case`, and any others of `COLUMNS`. `slide` defaults to `case`.

    Returns:
        A new DataFrame; text columns have the dtype "string", numbers the dtype "Int64", both nullable. The names of
        cases and slides are formatted by `format_names`: 7.0 is the case "7".

    Raises:
        DatasetError: If a required column is missing or has missing values, or a numeric column has other values.
    """
    frame = pd.DataFrame(columns).reset_index(drop=True)
    missing = [name for name in REQUIRED if name not in frame]
    if missing:
        raise DatasetError(
            f"The table has no column {', '.join(map(repr, missing))}. Needed: {', '.join(REQUIRED)}; "
            f"found: {', '.join(map(str, frame.columns)) or 'none'}. Rename or add the columns."
        )
    if "slide" not in frame:
        frame["slide"] = frame["case"]
    typed = {}
    for name in COLUMNS:
        values = frame[name] if name in frame else pd.Series(pd.NA, index=frame.index, dtype="object")
        typed[name] = _typed(name, values)
    table = pd.DataFrame(typed, columns=list(COLUMNS))
    for name in REQUIRED:
        empty = table[name].isna() | (table[name] == "")
        if empty.any():
            row = int(empty.to_numpy().argmax())
            raise DatasetError(
                f"Column {name!r} is empty in {int(empty.sum())} rows, first in row {row}. Fill in these values."
            )
    return table


def check_labels(table: pd.DataFrame, classes: Sequence[str]) -> tuple[str, ...]:
    """Return `classes` as a tuple after checking that they are distinct and include every label of the table.

    Raises:
        DatasetError: If they are not; the message names the label or class.
    """
    if isinstance(classes, str) or not all(isinstance(name, str) and name for name in classes):
        raise DatasetError(f"classes must be a sequence of names, e.g. ('benign', 'malignant'); found {classes!r}.")
    if len(set(classes)) != len(classes):
        raise DatasetError(f"classes must be distinct; found {tuple(classes)}.")
    unknown = sorted(set(table["label"].unique()) - set(classes))
    if unknown:
        raise DatasetError(
            f"The labels {unknown} are not among the classes {tuple(classes)}. Correct the labels or pass classes=."
        )
    return tuple(classes)


def _typed(name: str, values: pd.Series) -> pd.Series:
    if name in TEXT_COLUMNS:
        return format_names(values) if name in NAMES else values.astype("string")
    try:
        return pd.to_numeric(values).astype("Int64")
    except (ValueError, TypeError) as error:
        raise DatasetError(f"Column {name!r} must contain whole numbers or missing values: {error}.") from error


def write_classes(classes: Sequence[str]) -> str:
    """Return the first line of a CSV table, which lists the classes in order.

    Example:
        >>> write_classes(("benign", "malignant")), write_classes(("a|b", "c"))
        ('# classes: benign|malignant', '# classes: ["a|b", "c"]')
    """
    text = "|".join(classes)
    ambiguous = "\n" in text or "\r" in text or text.startswith("[") or text.count("|") >= len(classes)
    return CLASSES_LINE + (json.dumps(list(classes), ensure_ascii=False) if ambiguous else text)


def read_classes(line: str) -> tuple[str, ...]:
    """Return the classes that `write_classes` wrote.

    Raises:
        DatasetError: If the line is damaged.
    """
    names = line.removeprefix(CLASSES_LINE).rstrip("\r\n")
    if not names.startswith("["):
        return tuple(names.split("|"))
    try:
        return tuple(map(str, json.loads(names)))
    except ValueError as error:
        raise DatasetError(
            f"The line {line.strip()!r} should list the classes, as JSON or separated by '|'."
        ) from error
