"""Files of NumPy: `.npy`, and `.npz` with vectors, their ids and the record of the encoder."""

from __future__ import annotations

import json
import os
import stat
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from breastcls.errors import DatasetError
from breastcls.files import atomic_path
from breastcls.size_limits import SizeError, check_archive, parse_json

VECTORS, IDS, RECORD = "vectors", "ids", "record"
ID_NAMES = (IDS, "id", "paths", "path", "names", "filenames", "image_ids", "image_id", "keys")
# Smaller files are read, so that they may be replaced or removed while the dataset is in use.
_LEAST_MAPPED_BYTES = 64 * 2**20
_LOCAL_HEADER = struct.Struct("<26xHH")


@dataclass(frozen=True, eq=False)
class StoredVectors:
    """What a file of vectors holds.

    Attributes:
        values: The vectors as they are stored, unchecked.
        ids: The ids of the rows, or None.
        encoder: The record of the encoder; empty where there is none.
        notes: What was assumed, as sentences.
    """

    values: Any
    ids: Sequence[Any] | None = None
    encoder: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def write_vectors(
    path: str | os.PathLike[str], vectors: Any, ids: Sequence[str], encoder: Mapping[str, Any] | None = None
) -> Path:
    """Write vectors, their ids and the record of the encoder as an uncompressed `.npz` file, atomically.

    Args:
        path: The file; it must end in `.npz`.
        vectors: float32 (n, d).
        ids: (n,), the ids of the rows. Of rows with the same id, that is of the same image, the first is written.
        encoder: JSON values.

    Raises:
        DatasetError: If the name does not end in `.npz`.
        OutputError: If the file cannot be written.
    """
    if Path(path).suffix.lower() != ".npz":
        raise DatasetError(f"Vectors are written to a file .npz, with their ids; found {os.fspath(path)!r}.")
    first: dict[str, int] = {}
    for row, one in enumerate(ids):
        first.setdefault(one, row)
    if len(first) < len(vectors):
        vectors = vectors[np.array(list(first.values()), np.int64)]
    text = np.array(json.dumps(dict(encoder or {}), sort_keys=True))
    with atomic_path(path) as temporary:
        np.savez(temporary, **{VECTORS: vectors, IDS: np.array(list(first), dtype=np.str_), RECORD: text})
    return Path(path)


def read_npy(path: Path) -> StoredVectors:
    """Read an array `.npy`; a large one is mapped into memory.

    Raises:
        DatasetError: If it is not such a file, or holds pickled objects.
    """
    return StoredVectors(read_array(path))


def read_array(path: Path) -> np.ndarray:
    """Return the array of a file `.npy`; see `read_npy`."""
    try:
        large = os.path.getsize(path) >= _LEAST_MAPPED_BYTES
        return np.asanyarray(np.load(path, mmap_mode="r" if large else None, allow_pickle=False))
    # NumPy raises many errors for damaged files.
    except Exception as error:
        raise DatasetError(f"{path} cannot be read as an array: {_reason(error)}") from error


def read_npz(path: Path, key: str | None, ids: str | None) -> StoredVectors:
    """Read an archive `.npz`; a large uncompressed array is mapped into memory.

    Args:
        path: The file.
        key: The name of the array of vectors; None for `vectors`, or the only array of two dimensions.
        ids: The name of the array of ids; None for the first of `ID_NAMES` that it has.

    Raises:
        DatasetError: If it is damaged, holds pickled objects, or it is not clear which array has the vectors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive)
            names = [part.filename.removesuffix(".npy") for part in archive.infolist()]
            shapes = {name: _read_header(archive, name) for name in names}
            chosen = choose_array(path, {name: shape for name, (shape, _) in shapes.items()}, key)
            values = _map_array(path, archive, chosen, *shapes[chosen])
        with np.load(path, allow_pickle=False) as arrays:
            values = arrays[chosen] if values is None else values
            place = choose_ids(path, [name for name in names if name != chosen], ids)
            found = None if place is None else arrays[place]
            record = str(arrays[RECORD]) if RECORD in names and arrays[RECORD].dtype.kind == "U" else "{}"
    except DatasetError:
        raise
    except SizeError as error:
        raise DatasetError(f"{path} is not read: {error}. Do not use this file.") from error
    except Exception as error:
        raise DatasetError(f"{path} cannot be read as an archive of arrays: {_reason(error)}") from error
    return StoredVectors(values, found, read_record(path, record))


def choose_array(path: Path, shapes: Mapping[str, Sequence[int]], key: str | None) -> str:
    """Return the name of the array that has the vectors.

    Raises:
        DatasetError: If there is no array `key`, or without a key none or several that may be meant.
    """
    if key is not None:
        if key not in shapes:
            raise DatasetError(f"{path} has no array {key!r}; it has {', '.join(map(repr, shapes)) or 'none'}.")
        return key
    if VECTORS in shapes:
        return VECTORS
    fitting = [name for name, shape in shapes.items() if len(shape) >= 2] if len(shapes) > 1 else list(shapes)
    if len(fitting) != 1:
        listed = ", ".join(f"{name!r} {tuple(shape)}" for name, shape in shapes.items()) or "no arrays"
        raise DatasetError(f"{path} has {listed}. Name the array that has the vectors, (n, d), by key=.")
    return fitting[0]


def choose_ids(path: Path, names: Sequence[str], ids: str | None) -> str | None:
    """Return the name of the array of ids, or None.

    Raises:
        DatasetError: If `ids` names none.
    """
    if ids is not None and ids not in names:
        raise DatasetError(f"{path} has no ids {ids!r}; it has {', '.join(map(repr, names)) or 'nothing else'}.")
    return ids or next((name for name in ID_NAMES if name in names), None)


def read_record(path: Path, text: str) -> Mapping[str, Any]:
    """Return the record of the encoder from its JSON text.

    Raises:
        DatasetError: If it is damaged.
    """
    try:
        record = parse_json(text)
    except ValueError as error:
        raise DatasetError(f"The record of the encoder in {path} is damaged: {error}.") from error
    if not isinstance(record, dict):
        raise DatasetError(f"The record of the encoder in {path} is damaged: it is no object.")
    return record


def check_regular(path: Path) -> None:
    """Raise `DatasetError` unless a path is a file that can be read: opening a FIFO would wait for a writer."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise DatasetError(f"Cannot open the vectors {path}: {error.strerror}.") from error
    if not stat.S_ISREG(mode):
        raise DatasetError(f"{path} is not a regular file.")


def _read_header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], tuple[np.dtype[Any], bool, int]]:
    """Return shape, type, order and the length of the header of an array, without its values."""
    with archive.open(f"{name}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
        return tuple(shape), (dtype, fortran, stream.tell())


def _map_array(
    path: Path,
    archive: zipfile.ZipFile,
    name: str,
    shape: tuple[int, ...],
    layout: tuple[np.dtype[Any], bool, int],
) -> np.ndarray | None:
    """Return an array mapped from inside an archive, or None if it is compressed, small or not of plain numbers."""
    part, (dtype, fortran, header) = archive.getinfo(f"{name}.npy"), layout
    if part.compress_type != zipfile.ZIP_STORED or part.file_size < _LEAST_MAPPED_BYTES or dtype.hasobject or fortran:
        return None
    with open(path, "rb") as stream:
        stream.seek(part.header_offset)
        name_length, extra_length = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
    offset = part.header_offset + _LOCAL_HEADER.size + name_length + extra_length + header
    if part.file_size - header != dtype.itemsize * int(np.prod(shape)):
        raise SizeError(f"its array {name!r} has another size than its header states")
    return np.memmap(path, dtype, "r", offset, shape)


def _reason(error: Exception) -> str:
    if "allow_pickle" in str(error) or "pickle" in str(error).lower():
        return (
            "it holds Python objects (a pickle), which could run any code and are never loaded. Write plain numbers: "
            "np.save(path, np.stack(vectors).astype('float32'))."
        )
    return f"{type(error).__name__}: {str(error)[:200]}."
