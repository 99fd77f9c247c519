"""The vectors of the rows of a dataset: one array that all selections of its rows share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import DatasetError

Vectors = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]

# Selections up to this size are copied once; larger ones at each use, so that ten folds do not hold ten copies.
_KEPT_BYTES = 64 * 2**20
_ROWS_AT_ONCE = 8192
# Entries of the record of an encoder that do not identify it: engines agree within rounding, and weights have a hash.
_NOT_IDENTIFYING = ("engine", "licence", "weights", "written_by")


@dataclass(frozen=True, eq=False)
class VectorSource:
    """An array of vectors, and what is known of it.

    Attributes:
        array: float32 (rows, d), not writable; it may be mapped from a file.
        encoder: What computed the vectors, as JSON values; empty where it is not known.
        has_images: Whether the image of every row is known as well.
    """

    array: Vectors
    encoder: Mapping[str, Any] = field(default_factory=dict)
    has_images: bool = False

    @cached_property
    def row_hashes(self) -> npt.NDArray[np.uint64]:
        """A hash of the bytes of each vector, (rows,): equal vectors have equal ones."""
        factors = np.random.default_rng(7).integers(1, 2**63, self.array.shape[1], dtype=np.uint64) * np.uint64(2)
        factors += np.uint64(1)
        hashes = np.empty(len(self.array), np.uint64)
        for start in range(0, len(self.array), _ROWS_AT_ONCE):
            # Adding zero makes -0.0 equal to 0.0.
            part = np.ascontiguousarray(self.array[start : start + _ROWS_AT_ONCE]) + np.float32(0)
            hashes[start : start + len(part)] = (part.view(np.uint32).astype(np.uint64) * factors).sum(axis=1)
        return hashes


@dataclass(frozen=True, eq=False)
class VectorRows:
    """Some rows of a source, in any order.

    Attributes:
        source: All vectors.
        rows: int64 (n,), which rows of the source; None for all in order.
    """

    source: VectorSource
    rows: Positions | None = None

    def __len__(self) -> int:
        return len(self.source.array) if self.rows is None else len(self.rows)

    @property
    def size(self) -> int:
        """The number d of components of a vector."""
        return int(self.source.array.shape[1])

    @property
    def array(self) -> Vectors:
        """The vectors, float32 (n, d), not writable."""
        if self.rows is None:
            return self.source.array
        return self._kept if 4 * len(self.rows) * self.size <= _KEPT_BYTES else self._select()

    @property
    def hashes(self) -> npt.NDArray[np.uint64]:
        """A hash of each vector, (n,); see `VectorSource.row_hashes`."""
        return self.source.row_hashes if self.rows is None else self.source.row_hashes[self.rows]

    def take(self, positions: npt.NDArray[Any]) -> VectorRows:
        """Return the rows at some positions."""
        rows = np.asarray(positions, np.int64) if self.rows is None else self.rows[positions]
        return VectorRows(self.source, rows)

    @cached_property
    def _kept(self) -> Vectors:
        return self._select()

    def _select(self) -> Vectors:
        rows = self.rows
        assert rows is not None
        if len(rows) and rows[-1] - rows[0] + 1 == len(rows) and (np.diff(rows) == 1).all():
            return self.source.array[rows[0] : rows[-1] + 1]
        chosen = np.asarray(self.source.array[rows])
        chosen.flags.writeable = False
        return chosen


def join_vectors(first: VectorRows | None, second: VectorRows | None) -> VectorRows | None:
    """Return the vectors of two datasets that are concatenated.

    Raises:
        DatasetError: If one has none, or they are of different sizes or encoders.
    """
    if first is None and second is None:
        return None
    if first is None or second is None:
        raise DatasetError(
            "A dataset with vectors cannot be joined to one without. Load the vectors of both, or drop those of one by "
            "dataclasses.replace(data, vector_rows=None)."
        )
    if first.size != second.size:
        raise DatasetError(
            f"Datasets of vectors of different sizes cannot be joined: {first.size} and {second.size} components."
        )
    if first.source is second.source:
        size = len(first.source.array)
        rows = [np.arange(size) if one.rows is None else one.rows for one in (first, second)]
        return VectorRows(first.source, np.concatenate(rows))
    encoders = [dict(one.source.encoder) for one in (first, second)]
    if differing_entries(*encoders):
        raise DatasetError(
            f"Vectors of different encoders cannot be joined: {name_encoder(encoders[0])} and "
            f"{name_encoder(encoders[1])}. Compute both with the same encoder."
        )
    joined = np.concatenate([first.array, second.array])
    joined.flags.writeable = False
    encoder = {name: value for name, value in encoders[0].items() if encoders[1].get(name) == value}
    return VectorRows(VectorSource(joined, encoder, first.source.has_images and second.source.has_images))


def differing_entries(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return the entries by which two records are of different encoders, whatever engine and version ran them.

    An entry that one of them lacks is not compared.

    Example:
        >>> differing_entries({"name": "vit", "engine": "keras"}, {"name": "vit", "engine": "openvino"})
        []
        >>> differing_entries({"name": "vit"}, {"name": "mobilenet"})
        ['name']
    """
    shared = [name for name in first if name in second and name not in _NOT_IDENTIFYING]
    return [name for name in shared if first[name] != second[name]]


def name_encoder(encoder: Mapping[str, Any]) -> str:
    """Return an encoder in words, for messages.

    Example:
        >>> name_encoder({"name": "mobilenet", "image_size": [224, 224], "weights_sha256": "0123456789abcdef"})
        'mobilenet (weights 01234567, 224x224)'
    """
    details = []
    if encoder.get("weights_sha256"):
        details.append(f"weights {str(encoder['weights_sha256'])[:8]}")
    if encoder.get("image_size"):
        details.append("x".join(map(str, encoder["image_size"])))
    name = str(encoder.get("name") or "an encoder without a name")
    return f"{name} ({', '.join(details)})" if details else name
