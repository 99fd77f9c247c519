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

from breastcls.datasets.vectors.vector_choice import choose_array, choose_ids
from breastcls.errors import DatasetError
from breastcls.files import atomic_path
from breastcls.size_limits import SizeError, check_archive, parse_json

VECTORS, IDS, RECORD = "vectors", "ids", "record"
# Smaller files are read, so that they may be replaced or removed while the dataset is in use.
_LEAST_MAPPED_BYTES = 64 * 2**20
_LOCAL_HEADER = struct.Struct("<26xHH")
_OBJECTS = (
    "it holds Python objects (a pickle), which could run any code and are never loaded. Write plain numbers, "
    "np.stack(vectors).astype('float32'), and ids as text, np.array(ids, dtype=str)."
)


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
        ids: The name of the array of ids; None for a usual name, or the only array of text that differs in every row.

    Raises:
        DatasetError: If it is damaged, holds pickled objects, or it is not clear which array has the vectors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive)
            names = [part.filename.removesuffix(".npy") for part in archive.infolist()]
            headers = {name: _read_header(archive, name) for name in names}
            shapes = {name: shape for name, (shape, (dtype, *_)) in headers.items() if dtype.kind not in "SU"}
            chosen = choose_array(path, shapes, key)
            values = None if chosen is None else _map_array(path, archive, chosen, *headers[chosen])
        with np.load(path, allow_pickle=False) as arrays:

            def read(name: str) -> np.ndarray:
                if headers[name][1][0].hasobject:
                    raise DatasetError(f"{path}: the array {name!r} cannot be read: {_OBJECTS}")
                return np.asarray(arrays[name])

            record = read_record(path, str(arrays[RECORD]) if RECORD in names and RECORD not in shapes else "{}")
            if chosen is None:
                return stack_arrays(path, {name: read(name) for name in shapes}, ids, record)
            values = read(chosen) if values is None else values
            others = [name for name in names if name not in (chosen, RECORD)]
            texts = [name for name in others if name not in shapes and headers[name][0] == values.shape[:1]]
            place, notes = choose_ids(path, others, ids, lambda: {name: as_texts(read(name)) for name in texts})
            return StoredVectors(values, None if place is None else as_texts(read(place)), record, notes)
    except DatasetError:
        raise
    except SizeError as error:
        raise DatasetError(f"{path} is not read: {error}. Do not use this file.") from error
    except Exception as error:
        raise DatasetError(f"{path} cannot be read as an archive of arrays: {_reason(error)}") from error


def stack_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], ids: str | None, record: Mapping[str, Any]
) -> StoredVectors:
    """Return the arrays of a file that has one per image, whose names are the ids.

    Raises:
        DatasetError: If ids are named as well.
    """
    if ids is not None:
        raise DatasetError(
            f"{path} has one array per image, named by the image; leave ids={ids!r} out, or name the array that has "
            "the vectors, (n, d), by key=."
        )
    return StoredVectors(np.stack([one.reshape(-1) for one in arrays.values()]), list(arrays), record)


def as_texts(values: np.ndarray) -> list[Any]:
    """Return ids of an array in a list, bytes as text."""
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in values.ravel().tolist()]


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
        return _OBJECTS
    return f"{type(error).__name__}: {str(error)[:200]}."
