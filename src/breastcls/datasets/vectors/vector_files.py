"""Reading vectors from a file for all images, or from a folder with one file per image."""

from __future__ import annotations

import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from breastcls.datasets.vectors.hdf5_vectors import read_hdf5
from breastcls.datasets.vectors.parquet_vectors import read_parquet
from breastcls.datasets.vectors.vector_archive import StoredVectors, check_regular, read_npy, read_npz
from breastcls.datasets.vectors.vector_columns import read_csv_vectors
from breastcls.errors import DatasetError

_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".bin")
_OF_ONE_IMAGE = (".npy", ".npz", ".h5", ".hdf5")
_TEXT = (".csv", ".tsv", ".txt", ".gz", ".xlsx")


def read_vectors(
    path: str | os.PathLike[str], *, key: Any = None, ids: str | None = None, known: Collection[str] = ()
) -> StoredVectors:
    """Read vectors from a file, or from a folder with one file per image; the content decides on the format.

    Args:
        path: A file `.npy`, `.npz`, `.parquet`, `.h5` or `.csv`, or a folder of `.npy`, `.npz` or `.h5`.
        key: The name of the array, or of the columns, that have the vectors.
        ids: The name of the array or column of ids.
        known: Columns of the table of images.

    Raises:
        DatasetError: If it cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path, key)
    check_regular(path)
    suffix = path.suffix.lower()
    with open(path, "rb") as stream:
        start = stream.read(8)
    if start.startswith(b"\x93NUMPY"):
        return read_npy(path)
    if start.startswith(b"PK\x03\x04") and suffix == ".npz":
        return read_npz(path, key, ids)
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return read_hdf5(path, key, ids)
    if start.startswith(b"PAR1"):
        return read_parquet(path, key, ids, known)
    if suffix in _PICKLES:
        raise DatasetError(
            f"{path} is not read: files {suffix} are pickles, which can run any code. Write the vectors as numbers "
            "where they were made: np.save('vectors.npy', vectors.cpu().numpy())."
        )
    if suffix in _TEXT:
        return read_csv_vectors(path, key, ids, known)
    raise DatasetError(
        f"{path} is no file of vectors: expected .npy, .npz, .parquet, .h5 or .csv, or a folder of them."
    )


def _read_folder(folder: Path, key: Any) -> StoredVectors:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _OF_ONE_IMAGE and path.is_file())
    if not files:
        raise DatasetError(f"The folder {folder} has no files of vectors ({', '.join(_OF_ONE_IMAGE)}), one per image.")

    def read_one(path: Path) -> np.ndarray:
        values = np.asarray(
            read_vectors(path, key=key).values if path.suffix.lower() != ".npy" else read_npy(path).values
        )
        if values.ndim == 1 or (values.ndim == 2 and len(values) == 1):
            return values.reshape(-1)
        raise DatasetError(f"{path} has the shape {values.shape}; expected (d,), the vector of one image.")

    with ThreadPoolExecutor() as pool:
        vectors = list(pool.map(read_one, files))
    for path, vector in zip(files, vectors, strict=True):
        if vector.shape != vectors[0].shape or vector.dtype != vectors[0].dtype:
            raise DatasetError(
                f"{path} has {len(vector)} components of type {vector.dtype}, {files[0]} {len(vectors[0])} of type "
                f"{vectors[0].dtype}. Vectors of one dataset come from one encoder."
            )
    ids = [path.relative_to(folder).with_suffix("").as_posix() for path in files]
    return StoredVectors(np.stack(vectors), ids)
