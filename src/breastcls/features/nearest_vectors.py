"""Nearest vectors of other groups: exactly, or by an inverted file of faiss; in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from breastcls.errors import DatasetError

Vectors = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]
Metric = Literal["cosine", "euclidean"]
METRICS: tuple[Metric, ...] = ("cosine", "euclidean")

_ROWS_AT_ONCE, _QUERIES_AT_ONCE = 8192, 512
# Rounding errors of float32 change the order of nearly equal distances: more rows are kept, and their distances
# computed in float64.
_SPARE = 12
_MOST_TRAINING_BYTES = 256 * 2**20
# Of the inverted lists one in four is searched: the nearest lists are often those of the case that is left out. Ten
# times as many candidates as asked for are measured exactly.
_SEARCHED = 4
_CANDIDATES = 10
# Fewer vectors per list would make poor centroids; faiss warns below 39.
_LEAST_PER_LIST = 40


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest rows of each query: `rows` int64 (q, k), -1 where there are fewer, and `distances` float32 (q, k)."""

    rows: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float32]


def search_exactly(
    vectors: Vectors, groups: Codes, queries: Vectors, query_groups: Codes, count: int, metric: Metric
) -> Nearest:
    """Return the nearest rows of other groups than that of the query, by comparison with every row.

    Memory does not depend on the number of rows: vectors are read block by block, also from a file.

    Args:
        vectors: (n, d), which may be mapped from a file.
        groups: (n,), the group of each row.
        queries: (q, d).
        query_groups: (q,); rows of the same group are left out. -1 leaves out none.
        count: How many for each query.
        metric: `"cosine"` or `"euclidean"`.

    Example:
        >>> vectors = np.array([[1, 0], [1, 0.1], [0, 1]], np.float32)
        >>> search_exactly(vectors, np.array([0, 1, 2]), vectors[:1], np.array([0]), 2, "euclidean").rows.tolist()
        [[1, 2]]
    """
    rows = np.full((len(queries), count), -1, np.int64)
    distances = np.full((len(queries), count), np.inf, np.float32)
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        part = slice(start, start + _QUERIES_AT_ONCE)
        candidates = _find_candidates(vectors, groups, queries[part], query_groups[part], count + _SPARE, metric)
        for query, there in enumerate(candidates, start):
            near = _measure(vectors, there, queries[query], count, metric)
            rows[query, : len(near[0])], distances[query, : len(near[0])] = near
    return Nearest(rows, distances)


def build_index(vectors: Vectors, metric: Metric, seed: int) -> Any:
    """Return an inverted file of faiss with one byte per component, built in bounded memory.

    Args:
        vectors: (n, d), which may be mapped from a file.
        metric: `"cosine"` or `"euclidean"`.
        seed: The seed of the clustering.

    Raises:
        DatasetError: If faiss is not installed.
    """
    faiss = open_faiss()
    number, size = vectors.shape
    sample = min(number, _MOST_TRAINING_BYTES // (4 * size))
    lists = max(1, min(int(2 * number**0.5), sample // _LEAST_PER_LIST))
    kind = faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2
    index = faiss.index_factory(size, f"IVF{lists},SQ8", kind)
    index.cp.seed = seed
    chosen = np.sort(np.random.default_rng(seed).choice(number, sample, replace=False))
    index.train(_prepare(vectors[chosen], metric))
    for part in _blocks(vectors, metric):
        index.add(part)
    return index


def search_index(
    index: Any,
    vectors: Vectors,
    groups: Codes,
    queries: Vectors,
    query_groups: Codes,
    count: int,
    metric: Metric,
) -> Nearest:
    """Return the nearest rows of other groups by an index of `build_index`; distances are exact.

    The index gives candidates; they are compared with the queries by their vectors.
    """
    faiss = open_faiss()
    rows = np.full((len(queries), count), -1, np.int64)
    distances = np.full((len(queries), count), np.inf, np.float32)
    prepared = _prepare(queries, metric)
    wanted = min(_CANDIDATES * count, len(vectors))
    # One search for all queries of a group, because the rows that are left out are an option of a search.
    for group in np.unique(query_groups):
        chosen = np.flatnonzero(query_groups == group)
        left_out = np.flatnonzero(groups == group).astype(np.int64)
        options = {"nprobe": max(1, index.nlist // _SEARCHED)}
        batch = faiss.IDSelectorBatch(left_out)
        if len(left_out):
            options["sel"] = faiss.IDSelectorNot(batch)
        _, found = index.search(prepared[chosen], wanted, params=faiss.SearchParametersIVF(**options))
        for query, candidates in zip(chosen, found, strict=True):
            near = _measure(vectors, candidates[candidates >= 0], queries[query], count, metric)
            rows[query, : len(near[0])], distances[query, : len(near[0])] = near
    return Nearest(rows, distances)


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


def has_faiss() -> bool:
    """Return whether faiss is installed."""
    try:
        open_faiss()
    except DatasetError:
        return False
    return True


def _prepare(vectors: np.ndarray, metric: Metric) -> Vectors:
    """Return vectors as faiss takes them: contiguous, and of length one for the cosine."""
    values = np.ascontiguousarray(vectors, dtype=np.float32)
    if metric != "cosine":
        return values
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0))


def _blocks(vectors: Vectors, metric: Metric) -> Iterator[Vectors]:
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        yield _prepare(vectors[start : start + _ROWS_AT_ONCE], metric)


def _find_candidates(
    vectors: Vectors, groups: Codes, queries: Vectors, query_groups: Codes, kept: int, metric: Metric
) -> list[Codes]:
    """Return for each query the rows of other groups that are nearest by distances of float32, in no order."""
    # Distances from a common centre are the same, and have smaller rounding errors.
    centre = queries.mean(axis=0, dtype=np.float64).astype(np.float32) if metric == "euclidean" else np.float32(0.0)
    asked = _prepare(queries - centre, metric)
    best = np.full((len(queries), kept), -np.inf, np.float32)
    rows = np.zeros((len(queries), kept), np.int64)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, len(vectors))
        known = _prepare(vectors[start:stop] - centre, metric)
        closeness = asked @ known.T
        if metric == "euclidean":
            closeness -= np.einsum("nd,nd->n", known, known) / 2
        closeness[query_groups[:, np.newaxis] == groups[np.newaxis, start:stop]] = -np.inf
        closeness = np.concatenate([best, closeness], axis=1)
        chosen = np.argpartition(closeness, -kept, axis=1)[:, -kept:]
        best = np.take_along_axis(closeness, chosen, axis=1)
        before = np.take_along_axis(rows, np.minimum(chosen, kept - 1), axis=1)
        rows = np.where(chosen < kept, before, chosen - kept + start)
    return [there[np.isfinite(values)] for there, values in zip(rows, best, strict=True)]


def _measure(
    vectors: Vectors, candidates: Codes, query: Vectors, count: int, metric: Metric
) -> tuple[Codes, npt.NDArray[np.float64]]:
    """Return the nearest of some rows and their distances, ordered by distance, then by row."""
    rows = np.sort(candidates)
    pair = [np.asarray(values, dtype=np.float64) for values in (vectors[rows], query[np.newaxis])]
    if metric == "cosine":
        lengths = [np.linalg.norm(values, axis=1, keepdims=True) for values in pair]
        product = lengths[0][:, 0] * lengths[1][0, 0]
        cosine = (pair[0] @ pair[1][0]) / np.where(product > 0, product, 1.0)
        distances = np.clip(1.0 - cosine, 0.0, 2.0)
    else:
        distances = np.linalg.norm(pair[0] - pair[1], axis=1)
    order = np.argsort(distances, kind="stable")[:count]
    return rows[order], distances[order]
