"""`load_embeddings`: a dataset of vectors that any encoder computed."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from breastcls.argument_checks import check_choice
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.row_selection import require_column
from breastcls.datasets.table_reader import load_table
from breastcls.datasets.vectors.attached_vectors import attach_vectors
from breastcls.datasets.vectors.row_ids import EXTRA
from breastcls.datasets.vectors.vector_archive import StoredVectors
from breastcls.datasets.vectors.vector_columns import column_names, read_frame
from breastcls.datasets.vectors.vector_files import read_vectors
from breastcls.errors import DatasetError
from breastcls.text_tables import format_count


def load_embeddings(
    table: Dataset | pd.DataFrame | str | os.PathLike[str],
    array: Any,
    *,
    ids: Sequence[Any] | str | None = None,
    id_column: str = "path",
    key: str | Sequence[str] | None = None,
    extra: str = "raise",
    encoder: str | Mapping[str, Any] | None = None,
    classes: Sequence[str] | None = None,
    root: str | os.PathLike[str] | None = None,
    distinct: object = (),
) -> Dataset:
    """Read the vectors of images, such as the embeddings of a foundation model, with the table of the images.

    The result is an ordinary `Dataset` with `vectors`: every selection, split and fold keeps rows and vectors together.
    `fit`, `cross_validate`, `evaluate`, `compare`, `predict` and `breastcls.experiments.permutation_test` take it with
    a model of vectors: `build_model("embeddings", classes=data.classes, dimensions=data.vectors.shape[1])`. Where the
    column `path` names image files that exist, results include the colour-only baseline; without files the sections of
    an evaluation that need pixels are left out.

    Vectors with ids are brought into the order of the table. Ids are compared as they are written; then, for rows that
    are named by their path, by paths without suffixes and by file names. Vectors without ids are taken in the order of
    the table, and a note of the dataset says so. Numbers that are not float32 (float16, float64, bfloat16, integers)
    are converted, with a note. Pickles are never loaded, and an HDF5 file cannot refer to another file.

    Args:
        table: The table of images, as `load_table` takes it, or a dataset. Image files need not exist.
        array: The vectors, one row per image: an array or a tensor (n, d); a DataFrame; a mapping from id to vector;
            the path of a file `.npy`, `.npz`, `.h5`, `.parquet` (needs `pip install 'breastcls[parquet]'`) or `.csv`;
            or a folder with one `.npy`, `.npz` or `.h5` per image, named by the image. A `.npz` or `.h5` file may also
            have one array per image, named by the image. Large `.npy` and uncompressed `.npz` files of float32 are
            mapped into memory.
        ids: The ids of the vectors, (n,), or the name of the array or column that has them. By default `ids`, `path`,
            `filename` or a similar name; the index of a DataFrame that does not count its rows; or the only text that
            is different in every row, with a note.
        id_column: The column of the table that `ids` refer to.
        key: The array (`.npz`), dataset (`.h5`), column of lists or columns (`.parquet`, `.csv`, DataFrame) that have
            the vectors, where it is not clear.
        extra: What happens to vectors that belong to no row: "raise" an error, or "drop" them with a note.
        encoder: What computed the vectors: its name, or a mapping of JSON values. Files of `extract_features` have
            this record. A model refuses the vectors of another encoder than that of its training.
        classes: As in `load_table`.
        root: As in `load_table`.
        distinct: As in `load_table`.

    Returns:
        The dataset; `vectors` is float32 (n, d).

    Raises:
        DatasetError: If a file cannot be read, the array is not (n, d), a number is NaN, infinite or too large for
            float32, an id occurs twice, a row has no vector, a vector has no row, or the table is not valid.

    Example:
        >>> table = pd.DataFrame({"path": ["a.png", "b.png"], "label": ["benign", "malignant"], "case": ["1", "2"]})
        >>> data = load_embeddings(table, {"b": [0.0, 1.0], "a": [2.0, 3.0]}, encoder="my encoder")
        >>> data.vectors.tolist()
        [[2.0, 3.0], [0.0, 1.0]]
        >>> data[1:].vectors.tolist(), data.encoder["name"]
        ([[0.0, 1.0]], 'my encoder')
    """
    check_choice("extra", extra, EXTRA, error=DatasetError)
    if isinstance(table, Dataset):
        if classes is not None or root is not None or distinct != ():
            raise DatasetError("`classes`, `root` and `distinct` are those of the dataset; leave them out.")
    else:
        table = load_table(table, classes=classes, root=root, distinct=distinct, files=False)
    data = dataclasses.replace(table, vector_rows=None)
    stored, name = _read(array, ids, key, data)
    stored = dataclasses.replace(stored, encoder=_find_encoder(encoder, stored, name))
    return attach_vectors(data, stored, name, _wanted(data, id_column), extra=extra)


def _read(array: Any, ids: Any, key: Any, data: Dataset) -> tuple[StoredVectors, str]:
    """Return the vectors as they are stored, and what has them in words."""
    if isinstance(array, (str, os.PathLike)):
        name = os.path.basename(os.path.normpath(array))
        place = ids if isinstance(ids, str) else None
        stored = read_vectors(array, key=key, ids=place, known=column_names(data.frame))
        return (stored if ids is None or place is not None else dataclasses.replace(stored, ids=_sequence(ids))), name
    if isinstance(array, pd.DataFrame):
        stored = read_frame(array, key, ids if isinstance(ids, str) else None, column_names(data.frame))
        return (
            stored if ids is None or isinstance(ids, str) else dataclasses.replace(stored, ids=_sequence(ids))
        ), "The DataFrame"
    if key is not None or isinstance(ids, str):
        raise DatasetError("key= and a name as ids= belong to files and DataFrames; the vectors are given as an array.")
    name = "The array"
    if isinstance(array, Mapping):
        if ids is not None:
            raise DatasetError("A mapping has its ids as keys; leave ids= out.")
        sizes = {np.shape(one) for one in array.values()}
        if len(sizes) != 1 or any(len(size) != 1 for size in sizes):
            raise DatasetError(f"The vectors of a mapping must all have one shape (d,); found {sorted(sizes)[:3]}.")
        return StoredVectors(np.stack([np.asarray(one) for one in array.values()]), list(array)), name
    return StoredVectors(array, None if ids is None else _sequence(ids)), name


def _sequence(ids: Any) -> list[Any]:
    return list(np.asarray(ids, dtype=object)) if not isinstance(ids, list) else ids


def _wanted(data: Dataset, id_column: str) -> list[list[str]]:
    """Return the ids of the rows in all forms in which they may be written."""
    if id_column == "path":
        return [data.relative_paths, data.paths]
    values = require_column(data.frame, id_column)
    if values.isna().any():
        missing = int(values.isna().sum())
        raise DatasetError(f"The column {id_column!r} of the ids is empty in {format_count(missing, 'row')}.")
    return [values.astype(str).tolist()]


def _find_encoder(given: str | Mapping[str, Any] | None, stored: StoredVectors, name: str) -> Mapping[str, Any]:
    if given is None:
        return stored.encoder
    if stored.encoder:
        raise DatasetError(f"{name} has a record of its encoder already; leave encoder= out.")
    if isinstance(given, str):
        return {"name": given}
    if not isinstance(given, Mapping):
        raise DatasetError(f"encoder must be a name or a mapping; found {type(given).__name__}.")
    return dict(given)
