"""Nearest vectors by an inverted file of faiss, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import DatasetError
from breastcls.features.nearest_neighbours import Distance, Groups, Neighbours, rank_candidates, to_unit

Vectors = npt.NDArray[np.float32]

_ROWS_AT_ONCE = 8192
_MOST_TRAINING_BYTES = 256 * 2**20
# Of the inverted lists one in four is searched: the nearest lists are often those of the case that is left out. Ten
# times as many candidates as asked for are measured exactly.
_SEARCHED = 4
_CANDIDATES = 10
# Fewer vectors per list would make poor centroids; faiss warns below 39.
_LEAST_PER_LIST = 40


def build_index(vectors: Vectors, distance: Distance, seed: int) -> Any:
    """Return an inverted file of faiss with one byte per component, built in bounded memory.

    Args:
        vectors: (n, d), which may be mapped from a file.
        distance: `"cosine"` or `"euclidean"`.
        seed: The seed of the clustering.

    Raises:
        DatasetError: If faiss is not installed.
    """
    faiss = open_faiss()
    number, size = vectors.shape
    sample = min(number, _MOST_TRAINING_BYTES // (4 * size))
    lists = max(1, min(int(2 * number**0.5), sample // _LEAST_PER_LIST))
    kind = faiss.METRIC_INNER_PRODUCT if distance == "cosine" else faiss.METRIC_L2
    index = faiss.index_factory(size, f"IVF{lists},SQ8", kind)
    index.cp.seed = seed
    chosen = np.sort(np.random.default_rng(seed).choice(number, sample, replace=False))
    index.train(_prepare(vectors[chosen], distance))
    for part in _blocks(vectors, distance):
        index.add(part)
    return index


def search_index(
    index: Any, vectors: Vectors, queries: Vectors, count: int, distance: Distance, groups: Groups
) -> Neighbours:
    """Return the nearest vectors of other groups by an index of `build_index`; distances are exact.

    The index gives candidates; they are compared with the queries by their vectors. See `find_neighbours` for the
    arguments.
    """
    faiss = open_faiss()
    prepared = _prepare(queries, distance)
    wanted = min(_CANDIDATES * count, len(vectors))
    candidates = np.full((len(queries), wanted), -1, np.int64)
    # One search for all queries of a group, because the rows that are left out are an option of a search.
    for group in np.unique(groups.queries):
        chosen = np.flatnonzero(groups.queries == group)
        left_out = np.flatnonzero(groups.vectors == group).astype(np.int64)
        options = {"nprobe": max(1, index.nlist // _SEARCHED)}
        batch = faiss.IDSelectorBatch(left_out)
        if len(left_out):
            options["sel"] = faiss.IDSelectorNot(batch)
        _, candidates[chosen] = index.search(prepared[chosen], wanted, params=faiss.SearchParametersIVF(**options))
    return rank_candidates(vectors, queries, candidates, count, distance)


def write_index(index: Any, path: Path) -> None:
    """Write an index of `build_index`."""
    open_faiss().write_index(index, str(path))


def read_index(path: Path) -> Any:
    """Read an index that `write_index` wrote; its lists stay in the file.

    Raises:
        DatasetError: If it is damaged, or faiss is not installed.
    """
    faiss = open_faiss()
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    except RuntimeError as error:
        raise DatasetError(f"{path} cannot be read as an index of faiss. Write it again.") from error


def open_faiss() -> Any:
    """Return the module faiss.

    Raises:
        DatasetError: If it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise DatasetError(
            "An approximate search needs faiss: pip install 'breastcls[similar]'. Or pass kind=\"exact\", which is "
            "slower for many images."
        ) from error
    return faiss


def _prepare(vectors: Vectors, distance: Distance) -> Vectors:
    """Return vectors as faiss takes them: contiguous, and of length one for the cosine."""
    values = np.ascontiguousarray(vectors, dtype=np.float32)
    return to_unit(values) if distance == "cosine" else values


def _blocks(vectors: Vectors, distance: Distance) -> Iterator[Vectors]:
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        yield _prepare(vectors[start : start + _ROWS_AT_ONCE], distance)
