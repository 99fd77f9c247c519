"""Vectors in HDF5 files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from breastcls.datasets.vectors.vector_archive import RECORD, StoredVectors, choose_array, choose_ids, read_record
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
            chosen = choose_array(path, {name: one.shape for name, one in found.items()}, key)
            for name in (chosen, *(one for one in found if one != chosen)):
                _check_size(path, name, found[name])
            place = choose_ids(path, [name for name in found if name != chosen], ids)
            record = archive.attrs.get(RECORD, found[chosen].attrs.get(RECORD, "{}"))
            return StoredVectors(
                _read(found[chosen]),
                None if place is None else _texts(_read(found[place])),
                read_record(path, record if isinstance(record, str) else "{}"),
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


def _texts(values: np.ndarray) -> list[Any]:
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in values.ravel().tolist()]
