"""The table of a dataset: its columns, their types, and the validation of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from breastcls.datasets.further_columns import type_further_column
from breastcls.errors import DatasetError
from breastcls.identifiers import TEXT, clean_name, format_name, format_names, list_similar, similar_groups
from breastcls.text_tables import format_count

TEXT_COLUMNS = ("path", "label", "case", "slide", "subtype", "source")
COLUMNS = ("path", "label", "case", "slide", "magnification", "subtype", "x", "y", "source")
# A dataset has them for every image or for none.
WHOLE = ("path", "label", "case")

MALIGNANCY = ("benign", "malignant")
BENIGN_SUBTYPES = ("A", "F", "PT", "TA")
MALIGNANT_SUBTYPES = ("DC", "LC", "MC", "PC")
SUBTYPES = BENIGN_SUBTYPES + MALIGNANT_SUBTYPES


def make_table(columns: pd.DataFrame | Mapping[str, Any]) -> pd.DataFrame:
    """Return a table with all of `COLUMNS`, in order and typed, then further columns, with rows numbered from zero.

    Args:
        columns: At least `path`; `label` and `case` for every image or for none. `slide` defaults to `case`.

    Returns:
        A new DataFrame; text columns have the dtype "string", numbers the dtype "Int64", both nullable. Labels, cases,
        slides, subtypes and sources are formatted by `breastcls.identifiers.format_names`: 7.0 is the case "7".
        Further columns are typed by `type_further_column`.

    Raises:
        DatasetError: If `path` is missing, `path`, `label` or `case` is missing in some rows, a numeric column has
            other values, or two columns have the same name.
    """
    frame = pd.DataFrame(columns).reset_index(drop=True)
    names = [clean_name(str(name)) for name in frame.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DatasetError(f"The table has the column {repeated[0]!r} more than once. Rename or remove one of them.")
    frame.columns = pd.Index(names, dtype=object)
    if "path" not in frame:
        raise DatasetError(
            f"The table has no column 'path'; found: {', '.join(names) or 'none'}. Rename or add the column."
        )
    if "slide" not in frame and "case" in frame:
        frame["slide"] = frame["case"]
    typed = {}
    for name in COLUMNS:
        values = frame[name] if name in frame else pd.Series(pd.NA, index=frame.index, dtype="object")
        typed[name] = _typed(name, values)
    further = [name for name in names if name not in COLUMNS]
    typed |= {name: type_further_column(frame[name]) for name in further}
    table = pd.DataFrame(typed, columns=[*COLUMNS, *further])
    for name in WHOLE:
        _check_whole(table, name)
    return table


def _check_whole(table: pd.DataFrame, name: str) -> None:
    empty = (table[name].isna() | (table[name] == "")).to_numpy(dtype=bool)
    if not empty.any():
        return
    if empty.all() and name != "path":
        table[name] = pd.Series(pd.NA, index=table.index, dtype=TEXT)
        return
    none = "" if name == "path" else f" A dataset without {name}s has an empty value in every row."
    raise DatasetError(
        f"Column {name!r} is empty in {format_count(int(empty.sum()), 'row')}, first in row {int(empty.argmax())}. "
        f"Fill in these values, or remove the rows.{none}"
    )


def check_labels(table: pd.DataFrame, classes: Sequence[Any]) -> tuple[str, ...]:
    """Return the class names, formatted, after checking that they are distinct and include every label of the table.

    Raises:
        DatasetError: If they are not, or two of them differ in spelling only; the message names the label or class.
    """
    if isinstance(classes, str) or not all(isinstance(name, (str, int, float)) and name != "" for name in classes):
        raise DatasetError(f"classes must be a sequence of names, e.g. ('benign', 'malignant'); found {classes!r}.")
    names = tuple(format_name(name) for name in classes)
    if len(set(names)) != len(names):
        raise DatasetError(f"classes must be distinct; found {tuple(classes)}.")
    similar = similar_groups(names)
    if similar:
        raise DatasetError(
            f"The classes {list_similar(similar)} differ in spelling only (letter case, leading zeros, separators or "
            f"accents).{_count_labels(table, similar[0])} Write equal classes alike, or give different classes "
            "different names."
        )
    unknown = sorted(set(table["label"].dropna().unique()) - set(names))
    if unknown:
        raise DatasetError(
            f"The labels {unknown} are not among the classes {names}.{_meant(unknown, names)} "
            "Correct the labels or pass classes=."
        )
    return names


def _count_labels(table: pd.DataFrame, names: Sequence[str]) -> str:
    counts = ", ".join(f"{name!r} {int((table['label'] == name).sum())}" for name in names)
    return f" Images: {counts}."


def _meant(unknown: Sequence[str], classes: Sequence[str]) -> str:
    pairs = [group for group in similar_groups([*unknown, *classes]) if set(group) & set(unknown)]
    return f" These names differ in spelling only: {list_similar(pairs)}." if pairs else ""


def _typed(name: str, values: pd.Series) -> pd.Series:
    if name == "path":
        return values.astype(TEXT)
    if name in TEXT_COLUMNS:
        return format_names(values)
    try:
        return pd.to_numeric(values).astype("Int64")
    except (ValueError, TypeError) as error:
        raise DatasetError(f"Column {name!r} must contain whole numbers or missing values: {error}.") from error
