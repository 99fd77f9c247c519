"""Vectors in Parquet files."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from breastcls.datasets.vectors.vector_archive import RECORD, StoredVectors, read_record
from breastcls.datasets.vectors.vector_choice import choose_ids
from breastcls.datasets.vectors.vector_columns import choose_lists, component_columns, describe_unequal, require_numbers
from breastcls.errors import DatasetError

_UNNAMED_INDEX = "__index_level_"


def read_parquet(path: Path, key: Any, ids: str | None, known: Collection[str]) -> StoredVectors:
    """Read vectors from a Parquet file: one column of lists, or one column per component.

    Args:
        path: The file.
        key: The column of lists, or the columns of components; None to find them.
        ids: The column of ids; None for a usual name, the index of pandas, or the only text that is different in every
            row.
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
    kinds = dict(zip(schema.names, schema.types, strict=True))
    lists = [
        name
        for name, kind in kinds.items()
        if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    ]
    metadata = schema.metadata or {}
    index = [name for name in _index_of_pandas(metadata) if name in kinds]
    texts = [name for name, kind in kinds.items() if pa.types.is_string(kind) or pa.types.is_large_string(kind)]
    names = [name for name in table.column_names if not name.startswith(_UNNAMED_INDEX) or name in texts or name == ids]
    place, notes = choose_ids(path, names, ids, lambda: {name: table.column(name).to_pylist() for name in texts})
    if place is None and index and index[0] in names:
        place = index[0]
    found = None if place is None else table.column(place).to_pylist()
    column = choose_lists(path, lists, key)
    if column is not None:
        values = _stack_lists(path, column, table.column(column).combine_chunks())
    else:
        chosen = component_columns(path, [name for name in names if name != place], key, known)
        for name in chosen:
            require_numbers(path, name, pa.types.is_floating(kinds[name]) or pa.types.is_integer(kinds[name]))
        values = np.column_stack([np.asarray(table.column(name).to_numpy()) for name in chosen])
    return StoredVectors(values, found, read_record(path, metadata.get(RECORD.encode(), b"{}").decode()), notes)


def _index_of_pandas(metadata: Any) -> list[str]:
    """Return the names of the columns of a Parquet file that were the index of a DataFrame."""
    try:
        found = json.loads(metadata.get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):
        return []
    return [name for name in found if isinstance(name, str)]


def _stack_lists(path: Path, column: str, values: Any) -> np.ndarray:
    lengths = set(values.value_lengths().to_pylist())
    if len(lengths) != 1 or None in lengths:
        raise DatasetError(describe_unequal(path, column))
    return np.asarray(values.flatten().to_numpy(zero_copy_only=False)).reshape(len(values), -1)
