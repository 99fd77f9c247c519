"""Vectors in the columns of a table: Parquet and CSV files."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from breastcls.datasets.image_table import COLUMNS
from breastcls.datasets.table_columns import parse_numbers
from breastcls.datasets.vectors.vector_archive import ID_NAMES, RECORD, StoredVectors, read_record
from breastcls.errors import DatasetError
from breastcls.table_files import read_text_table

_MEANINGS = frozenset((*COLUMNS, "target", "class", "diagnosis", "patient", "patient_id", "case_id", "slide_id", "y"))
_LISTS = ("vectors", "vector", "embedding", "embeddings", "features")


def read_parquet(path: Path, key: Any, ids: str | None, known: Collection[str]) -> StoredVectors:
    """Read vectors from a Parquet file: one column of lists, or one column per component.

    Args:
        path: The file.
        key: The column of lists, or the columns of components; None to find them.
        ids: The column of ids; None for a usual name.
        known: Columns of the table of images, which are never taken for components.

    Raises:
        DatasetError: If it cannot be read, or it is not clear which columns have the vectors.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DatasetError(f"Reading {path} needs pyarrow: pip install 'breastcls[parquet]'.") from error
    try:
        with parquet.ParquetFile(path) as file:
            schema, table = file.schema_arrow, file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read as Parquet: {str(error)[:200]}.") from error
    place = _find_ids(path, table.column_names, ids)
    lists = [
        name
        for name, kind in zip(schema.names, schema.types, strict=True)
        if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    ]
    column = key if isinstance(key, str) and key in lists else None
    if key is None and lists:
        column = next((name for name in _LISTS if name in lists), lists[0] if len(lists) == 1 else None)
        if column is None:
            raise DatasetError(f"{path} has the columns of lists {', '.join(lists)}; name one of them by key=.")
    if column is not None:
        values = _stack_lists(path, column, table.column(column).combine_chunks())
    else:
        names = _component_columns(path, [name for name in table.column_names if name != place], key, known)
        values = np.column_stack([np.asarray(table.column(name).to_numpy()) for name in names])
    record = (schema.metadata or {}).get(RECORD.encode(), b"{}").decode()
    found = None if place is None else table.column(place).to_pylist()
    return StoredVectors(values, found, read_record(path, record))


def _stack_lists(path: Path, column: str, values: Any) -> np.ndarray:
    lengths = {None if one is None else len(one) for one in values}
    if len(lengths) != 1 or None in lengths:
        raise DatasetError(f"{path}: the lists of the column {column!r} have different lengths, or are missing.")
    return np.asarray(values.flatten().to_numpy(zero_copy_only=False)).reshape(len(values), -1)


def read_csv_vectors(path: Path, key: Any, ids: str | None, known: Collection[str]) -> StoredVectors:
    """Read vectors from a CSV file with a header: one column per component, and one of ids.

    Args:
        path: The file, in any form that `load_table` reads.
        key: The columns of components; None for all but the ids.
        ids: The column of ids; None for a usual name.
        known: Columns of the table of images, which are never taken for components.

    Raises:
        DatasetError: As `read_parquet`.
    """
    read = read_text_table(path, DatasetError)
    names = [str(name) for name in read.frame.columns]
    frame = read.frame.set_axis(names, axis="columns")
    place = _find_ids(path, names, ids)
    chosen = _component_columns(path, [name for name in names if name != place], key, known)
    what = f"The vectors {os.path.basename(path)}"
    values = np.column_stack([parse_numbers(frame[name], what, DatasetError) for name in chosen])
    found = None if place is None else frame[place].astype(object).tolist()
    return StoredVectors(values, found, notes=read.notes)


def _find_ids(path: Path, names: Sequence[str], ids: str | None) -> str | None:
    if ids is not None and ids not in names:
        raise DatasetError(f"{path} has no column {ids!r}; it has {', '.join(names[:20])}.")
    return ids or next((name for name in ID_NAMES if name in names), None)


def _component_columns(path: Path, names: Sequence[str], key: Any, known: Collection[str]) -> list[str]:
    if key is not None:
        chosen = [key] if isinstance(key, str) else list(key)
        missing = [name for name in chosen if name not in names]
        if missing:
            raise DatasetError(f"{path} has no column {missing[0]!r}; it has {', '.join(names[:20])}.")
        return chosen
    # A label among the components would be learned as if it came from the image.
    doubtful = [name for name in names if name.casefold() in _MEANINGS or name in known]
    if doubtful:
        raise DatasetError(
            f"{path} has the column {doubtful[0]!r} beside those of the vectors. Name the columns of the vectors by "
            "key=[...], so that no label or name of a case becomes part of them."
        )
    if not names:
        raise DatasetError(f"{path} has no columns of vectors.")
    return list(names)


def column_names(frame: pd.DataFrame) -> frozenset[str]:
    """Return the names of the columns of a table of images that hold something."""
    return frozenset(str(name) for name in frame.columns if bool(frame[name].notna().any()))
