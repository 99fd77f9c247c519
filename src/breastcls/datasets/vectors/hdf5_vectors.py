"""Vectors in HDF5 files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from breastcls.datasets.vectors.vector_archive import RECORD, StoredVectors, as_texts, read_record, stack_arrays
from breastcls.datasets.vectors.vector_choice import choose_array, choose_ids
from breastcls.errors import DatasetError

_LARGEST_EXPANSION = 200
_SMALL_BYTES = 64 * 2**20


def read_hdf5(path: Path, key: str | None, ids: str | None) -> StoredVectors:
    """Read vectors from an HDF5 file.

    Links to other files, virtual and external datasets are refused, so that a file can never read another one.

    Args:
        path: The file.
        key: The path of the dataset of vectors; None for `vectors`, or the only one of two dimensions.
        ids: The path of the dataset of ids; None for a usual name.

    Raises:
        DatasetError: If it is damaged, refers to other files, or it is not clear which dataset has the vectors.
    """
    import h5py

    try:
        with h5py.File(path, "r") as archive:
            found: dict[str, Any] = {}
            _collect(h5py, archive, "", found, path)
            texts = {name for name, one in found.items() if h5py.check_string_dtype(one.dtype) is not None}
            shapes = {name: one.shape for name, one in found.items() if name not in texts}
            chosen = choose_array(path, shapes, key)
            for name, one in found.items():
                _check_size(path, name, one)
            given = archive.attrs.get(RECORD, "{}" if chosen is None else found[chosen].attrs.get(RECORD, "{}"))
            record = read_record(path, given if isinstance(given, str) else "{}")
            if chosen is None:
                return stack_arrays(path, {name: _read(found[name]) for name in shapes}, ids, record)
            rows, others = found[chosen].shape[:1], [name for name in found if name != chosen]
            text = [name for name in texts if found[name].shape == rows]
            place, notes = choose_ids(path, others, ids, lambda: {name: as_texts(_read(found[name])) for name in text})
            return StoredVectors(
                _read(found[chosen]), None if place is None else as_texts(_read(found[place])), record, notes
            )
    except DatasetError:
        raise
    # For damaged files h5py raises many different errors.
    except Exception as error:
        raise DatasetError(f"{path} cannot be read as HDF5: {type(error).__name__}: {str(error)[:200]}.") from error


def _collect(h5py: Any, group: Any, prefix: str, found: dict[str, Any], path: Path) -> None:
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise DatasetError(
                f"{path} has a link {prefix + name!r} ({type(link).__name__}), which may read another file. Write the "
                "array itself."
            )
        one = group[name]
        if isinstance(one, h5py.Group):
            _collect(h5py, one, f"{prefix}{name}/", found, path)
        elif isinstance(one, h5py.Dataset):
            if one.is_virtual or one.external:
                raise DatasetError(
                    f"{path}: the array {prefix + name!r} is stored in another file. Write the array itself."
                )
            found[prefix + name] = one


def _check_size(path: Path, name: str, one: Any) -> None:
    stored = one.id.get_storage_size()
    if one.nbytes > _SMALL_BYTES and one.nbytes > _LARGEST_EXPANSION * stored:
        raise DatasetError(
            f"{path} is not read: its array {name!r} declares {one.nbytes:,} bytes and stores {stored:,}. "
            "Do not use it."
        )


def _read(one: Any) -> np.ndarray:
    return np.asarray(one[()])
