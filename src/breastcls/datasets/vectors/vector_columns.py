"""Vectors in the columns of a table: CSV files and DataFrames, and which columns they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from breastcls.datasets.image_table import COLUMNS
from breastcls.datasets.table_columns import parse_numbers
from breastcls.datasets.vectors.vector_archive import StoredVectors
from breastcls.datasets.vectors.vector_choice import VECTOR_NAMES, choose_ids, list_names
from breastcls.errors import DatasetError
from breastcls.table_files import read_text_table

_MEANINGS = frozenset((*COLUMNS, "target", "class", "diagnosis", "patient", "patient_id", "case_id", "slide_id", "y"))


def read_csv_vectors(path: Path, key: Any, ids: str | None, known: Collection[str]) -> StoredVectors:
    """Read vectors from a CSV file with a header: one column per component, and one of ids.

    Args:
        path: The file, in any form that `load_table` reads.
        key: The columns of components; None for all but the ids.
        ids: The column of ids; None for a usual name, or the only text that is different in every row.
        known: Columns of the table of images, which are never taken for components.

    Raises:
        DatasetError: If it cannot be read, or it is not clear which columns have the vectors.
    """
    read = read_text_table(path, DatasetError)
    names = [str(name) for name in read.frame.columns]
    frame = read.frame.set_axis(names, axis="columns")

    def texts() -> dict[str, list[Any]]:
        words = {name: frame[name].astype(object).tolist() for name in names if name not in _listed(key)}
        return {name: values for name, values in words.items() if all(map(_is_text, values))}

    place, notes = choose_ids(path, names, ids, texts)
    chosen = component_columns(path, [name for name in names if name != place], key, known)
    what = f"The vectors {path.name}"
    values = np.column_stack([parse_numbers(frame[name], what, DatasetError) for name in chosen])
    found = None if place is None else frame[place].astype(object).tolist()
    return StoredVectors(values, found, notes=(*read.notes, *notes))


def read_frame(frame: pd.DataFrame, key: Any, ids: str | None, known: Collection[str]) -> StoredVectors:
    """Return the vectors of a DataFrame; see `read_csv_vectors`. An index that does not count the rows has the ids."""
    what = "The DataFrame"
    names = [str(name) for name in frame.columns]
    frame = frame.set_axis(names, axis="columns")
    if not frame.columns.is_unique:
        raise DatasetError(f"{what} has the column {frame.columns[frame.columns.duplicated()][0]!r} more than once.")

    def texts() -> dict[str, list[Any]]:
        words = {name: frame[name].astype(object).tolist() for name in names if not _is_numeric(frame[name])}
        return {name: values for name, values in words.items() if all(isinstance(one, str) for one in values)}

    place: str | None = None
    notes: tuple[str, ...] = ()
    found: list[Any] | None = None
    if ids is None and not isinstance(frame.index, pd.RangeIndex):
        found = frame.index.tolist()
    else:
        place, notes = choose_ids(what, names, ids, texts)
        found = None if place is None else frame[place].tolist()
    lists = [name for name in names if frame[name].dtype == object and len(frame) and np.ndim(frame[name].iloc[0]) == 1]
    column = choose_lists(what, lists, key)
    if column is not None:
        lengths = {np.shape(one) for one in frame[column]}
        if len(lengths) != 1:
            raise DatasetError(describe_unequal(what, column))
        return StoredVectors(np.stack([np.asarray(one) for one in frame[column]]), found, notes=notes)
    chosen = component_columns(what, [name for name in names if name != place], key, known)
    for name in chosen:
        require_numbers(what, name, _is_numeric(frame[name]))
    return StoredVectors(frame[chosen].to_numpy(), found, notes=notes)


def choose_lists(path: Path | str, lists: Sequence[str], key: Any) -> str | None:
    """Return the column of lists that has the vectors, or None where columns have their components.

    Raises:
        DatasetError: If several may be meant.
    """
    if key is not None:
        return key if isinstance(key, str) and key in lists else None
    column = next((name for name in VECTOR_NAMES if name in lists), lists[0] if len(lists) == 1 else None)
    if column is None and lists:
        raise DatasetError(f"{path} has the columns of lists {list_names(lists)}; name one of them by key=.")
    return column


def describe_unequal(path: Path | str, column: str) -> str:
    """Return the message on a column of lists that cannot be an array."""
    return f"{path}: the lists of the column {column!r} have different lengths, or are missing."


def component_columns(path: Path | str, names: Sequence[str], key: Any, known: Collection[str]) -> list[str]:
    """Return the columns of the components.

    Args:
        path: The file.
        names: All columns but that of the ids.
        key: What the user gave.
        known: Columns of the table of images.

    Raises:
        DatasetError: If a column of `key` is missing, or without a key a column may have another meaning.
    """
    if key is not None:
        chosen = _listed(key)
        missing = [name for name in chosen if name not in names]
        if missing:
            raise DatasetError(f"{path} has no column {missing[0]!r}; it has {list_names(names)}.")
        return chosen
    # A label among the components would be learned as if it came from the image.
    doubtful = [name for name in names if name.casefold() in _MEANINGS or name in known] or _not_numbered(names)
    if doubtful:
        raise DatasetError(
            f"{path} has the column {doubtful[0]!r} beside those of the vectors. Name the columns of the vectors by "
            "key=[...], so that no label or name of a case becomes part of them."
        )
    if not names:
        raise DatasetError(f"{path} has no columns of vectors.")
    return list(names)


def _not_numbered(names: Sequence[str]) -> list[str]:
    """Return the columns beside those that are numbered, such as f0, f1, f2, where there are numbered ones."""
    found = {name: re.fullmatch(r"(.*?)\d+", name) for name in names}
    stems = {name: "" if one is None else f"{one[1]}#" for name, one in found.items()}
    counts = Counter(stem for stem in stems.values() if stem)
    stem, times = counts.most_common(1)[0] if counts else ("", 0)
    return [name for name in names if stems[name] != stem] if times > 1 else []


def require_numbers(path: Path | str, name: str, is_numeric: bool) -> None:
    """Raise `DatasetError` unless a column has numbers."""
    if not is_numeric:
        raise DatasetError(
            f"{path}: the column {name!r} does not have numbers. Name the columns of the vectors by key=[...], and the "
            "column of the ids by ids=."
        )


def _is_numeric(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values))


def _listed(key: Any) -> list[str]:
    return [] if key is None else [str(key)] if isinstance(key, (str, int)) else [str(name) for name in key]


def _is_text(value: Any) -> bool:
    """Return whether a cell of a CSV file can be no number."""
    return isinstance(value, str) and re.search(r"[^\W\d_]{2}|/", value) is not None


def column_names(frame: pd.DataFrame) -> frozenset[str]:
    """Return the names of the columns of a table of images that hold something."""
    return frozenset(str(name) for name in frame.columns if bool(frame[name].notna().any()))
