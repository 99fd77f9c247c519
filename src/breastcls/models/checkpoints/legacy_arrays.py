"""The raw arrays in a file of PyTorch before version 1.6: several pickles, then the arrays one after the other."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LEGACY = b"\x80\x02\x8a\nl\xfc\x9c"
"""The first bytes of such a file."""

_PROTOCOL = 1001
# Before each array: the number of its elements, as int64.
_COUNT_BYTES = 8


class LegacyArrays:
    """Where the arrays are in a file.

    Args:
        path: The file.
        places: For each key, the first byte of its array and the number of bytes.
    """

    def __init__(self, path: Path, places: Mapping[str, tuple[int, int]]) -> None:
        self._path, self._places = path, places

    def size(self, key: str) -> int | None:
        """Return the number of bytes of an array, or None if there is no such array."""
        return self._places[key][1] if key in self._places else None

    def read(self, key: str) -> bytes:
        """Return the bytes of an array."""
        first, size = self._places[key]
        with self._path.open("rb") as stream:
            stream.seek(first)
            return stream.read(size)


def read_legacy(path: Path, load: Callable[[io.BytesIO], tuple[Any, Mapping[str, int]]], limit: int) -> Any:
    """Return what a file of the older format describes, and its arrays.

    Args:
        path: The file.
        load: Reads one pickle safely from a stream; returns it and, for each array it refers to, the bytes of an
            element.
        limit: Most bytes of all pickles together.

    Returns:
        The object, and its `LegacyArrays`.

    Raises:
        pickle.UnpicklingError: If the file has another layout.
    """
    total = path.stat().st_size
    with path.open("rb") as stream:
        pickles = io.BytesIO(stream.read(limit))
        load(pickles)
        protocol, system = load(pickles)[0], load(pickles)[0]
        if protocol != _PROTOCOL or not isinstance(system, dict) or system.get("little_endian") is not True:
            raise pickle.UnpicklingError(
                "it has the format of PyTorch before 1.6, but not that of a little-endian system"
            )
        found, element_bytes = load(pickles)
        keys = load(pickles)[0]
        if not isinstance(keys, list) or not all(isinstance(key, str) and key in element_bytes for key in keys):
            raise pickle.UnpicklingError("its list of arrays is damaged")
        places, position = {}, pickles.tell()
        for key in keys:
            stream.seek(position)
            count = int.from_bytes(stream.read(_COUNT_BYTES), "little", signed=True)
            size = count * element_bytes[key]
            position += _COUNT_BYTES
            if count < 0 or position + size > total:
                raise pickle.UnpicklingError(f"the array {key!r:.80} is missing or too short")
            places[key] = (position, size)
            position += size
    return found, LegacyArrays(path, places)
