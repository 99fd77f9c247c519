"""Exact nearest neighbours of vectors by chunked products of matrices, in bounded memory."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from breastcls.argument_checks import check_choice, check_count
from breastcls.errors import EvaluationError
from breastcls.features.shared_features import row_blocks

Distance = Literal["cosine", "euclidean"]
Singles = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_QUERIES, _VECTORS = 1024, 4096
# Values of the queries, and of the neighbours that are kept for them, which are in memory at once.
_QUERY_VALUES = 2**24
# Rounding errors of float32 change the order of nearly equal distances: more neighbours are kept, and their distances
# computed in float64.
_SPARE = 12


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest vectors of each query, the nearest first; of equally near ones the first.

    Attributes:
        rows: Their positions, int64 (m, k), -1 where there are fewer.
        distances: float64 (m, k), infinite where there are fewer.
    """

    rows: Integers
    distances: Floats


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups whose vectors are not compared, such as cases.

    Attributes:
        vectors: The group of each vector, int64 (n,).
        queries: The group of each query, int64 (m,); vectors of the same group are left out. -1 leaves out none.
    """

    vectors: Integers
    queries: Integers

    def of_queries(self, part: slice) -> Groups:
        """Return the groups of some of the queries."""
        return Groups(self.vectors, self.queries[part])


def find_neighbours(
    vectors: npt.NDArray[Any],
    queries: npt.NDArray[Any],
    count: int,
    *,
    distance: Distance = "cosine",
    groups: Groups | None = None,
    threads: int = 1,
) -> Neighbours:
    """Return the nearest of `vectors` for each of `queries`, by comparison with every one.

    Both are read block by block, also from a file: the memory does not depend on their number.

    Args:
        vectors: (n, d) of any float type, also memory-mapped.
        queries: (m, d).
        count: Number of neighbours k.
        distance: "cosine" (1 - cosine similarity) or "euclidean". The cosine distance between a vector of zeros and any
            vector is 1, as in scikit-learn, since the direction is not defined.
        groups: Vectors that are left out.
        threads: Number of threads.

    Raises:
        EvaluationError: If `distance` is neither, or `count` is less than 1.

    Example:
        >>> near = find_neighbours(np.eye(3), np.array([[1.0, 0.9, 0.0]]), 2, distance="euclidean")
        >>> near.rows.tolist(), near.distances.round(3).tolist()
        ([[0, 1]], [[0.9, 1.005]])
        >>> groups = Groups(np.array([5, 6, 7]), np.array([5]))
        >>> find_neighbours(np.eye(3), np.array([[1.0, 0.9, 0.0]]), 2, groups=groups).rows.tolist()
        [[1, 2]]
    """
    check_choice("distance", distance, get_args(Distance), error=EvaluationError)
    check_count("count", count, error=EvaluationError)
    rows, distances = np.empty((len(queries), count), np.int64), np.empty((len(queries), count))
    width = max(queries.shape[1], min(len(vectors), count + _SPARE))
    with threadpool_limits(limits=1), ThreadPoolExecutor(threads) as pool:
        for part in row_blocks(len(queries), width, _QUERY_VALUES):
            search = _Search(vectors, queries[part], count, distance, groups and groups.of_queries(part))
            # Of few queries each thread has some.
            blocks = list(row_blocks(len(search.queries), 1, min(_QUERIES, -(-len(search.queries) // threads))))
            for known in search.known_blocks():
                list(pool.map(functools.partial(search.compare, known), blocks))
            for block, near in zip(blocks, pool.map(search.rank, blocks), strict=True):
                rows[part][block], distances[part][block] = near.rows, near.distances
    return Neighbours(rows, distances)


def rank_candidates(
    vectors: npt.NDArray[Any], queries: npt.NDArray[Any], candidates: Integers, count: int, distance: Distance
) -> Neighbours:
    """Return the nearest of some candidates with their distances in float64.

    Args:
        vectors: (n, d).
        queries: (m, d).
        candidates: Different positions in `vectors`, int64 (m, c), -1 for none.
        count: Number of neighbours k.
        distance: "cosine" or "euclidean"; see `find_neighbours`.
    """
    distances = np.empty(candidates.shape)
    for block in row_blocks(len(queries), candidates.shape[1] * queries.shape[1]):
        found = vectors[np.maximum(candidates[block], 0)].astype(np.float64)
        asked = np.asarray(queries[block], dtype=np.float64)
        if distance == "euclidean":
            # The square of a difference has no cancellation, unlike the difference of products.
            found -= asked[:, np.newaxis]
            distances[block] = np.sqrt(np.einsum("mcd,mcd->mc", found, found))
        else:
            lengths = np.sqrt(np.einsum("mcd,mcd->mc", found, found)) * np.linalg.norm(asked, axis=1, keepdims=True)
            cosine = np.einsum("mcd,md->mc", found, asked) / np.where(lengths > 0, lengths, 1.0)
            distances[block] = np.clip(1.0 - cosine, 0.0, 2.0)
    distances[candidates < 0] = np.inf
    order = np.lexsort((candidates, distances), axis=1)[:, :count]
    fewer = ((0, 0), (0, count - order.shape[1]))
    return Neighbours(
        np.pad(np.take_along_axis(candidates, order, axis=1), fewer, constant_values=-1),
        np.pad(np.take_along_axis(distances, order, axis=1), fewer, constant_values=np.inf),
    )


def to_unit(vectors: npt.NDArray[Any]) -> Singles:
    """Return vectors divided by their lengths as float32; those of zeros unchanged."""
    # The square of a float32 may be beyond its range.
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    lengths[lengths == 0] = 1.0
    return np.asarray(vectors / lengths[:, np.newaxis].astype(vectors.dtype), dtype=np.float32)


def _to_floats(vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return vectors as float32, or float64 where they are."""
    return np.asarray(vectors, dtype=np.result_type(vectors.dtype, np.float32))


@dataclass(frozen=True, eq=False)
class _Known:
    """A block of vectors, ready for products: of length 1, or centred with half of their squared lengths."""

    start: int
    values: Singles
    halves: Singles | None
    groups: Integers | None


class _Search:
    """Queries, and the positions of the vectors that are nearest to them so far, in no order.

    Attributes:
        queries: (m, d), float32 or float64.
        places: int64 (m, kept), -1 for none.
    """

    def __init__(
        self,
        vectors: npt.NDArray[Any],
        queries: npt.NDArray[Any],
        count: int,
        distance: Distance,
        groups: Groups | None,
    ) -> None:
        self.queries, self._vectors, self._groups = _to_floats(queries), vectors, groups
        self._count, self._distance = count, distance
        self._kept = min(len(vectors), count + _SPARE)
        # Distances from a common centre are the same, and have smaller rounding errors.
        self._centre = None if distance == "cosine" else self.queries.mean(axis=0, dtype=np.float64)
        self._asked = self._prepare(self.queries)
        self.places = np.full((len(queries), self._kept), -1, np.int64)
        self._best = np.full(self.places.shape, -np.inf, np.float32)

    def _prepare(self, part: npt.NDArray[Any]) -> Singles:
        """Return vectors of length 1, or centred ones."""
        if self._centre is None:
            return to_unit(part)
        return np.asarray(part - self._centre.astype(part.dtype), dtype=np.float32)

    def known_blocks(self) -> Iterator[_Known]:
        """Yield the vectors, ready for products."""
        for block in row_blocks(len(self._vectors), 1, max(_VECTORS, self._kept)):
            values = self._prepare(_to_floats(self._vectors[block]))
            halves = None if self._centre is None else np.einsum("nd,nd->n", values, values) / np.float32(2)
            yield _Known(block.start, values, halves, None if self._groups is None else self._groups.vectors[block])

    def rank(self, some: slice) -> Neighbours:
        """Return the nearest of the vectors that were found for some of the queries."""
        return rank_candidates(self._vectors, self.queries[some], self.places[some], self._count, self._distance)

    def compare(self, known: _Known, some: slice) -> None:
        """Compare some of the queries with a block of vectors."""
        similarity = self._asked[some] @ known.values.T
        if known.halves is not None:
            similarity -= known.halves
        best, places = self._best[some], self.places[some]
        own = None if self._groups is None else self._groups.queries[some]
        if known.start == 0:
            if own is not None and known.groups is not None:
                similarity[own[:, np.newaxis] == known.groups] = -np.inf
            best[:], places[:] = _largest(similarity, None, self._kept)
            places[np.isneginf(best)] = -1
            return
        # Few are better than the worst that is kept: finding them costs less than sorting.
        better = np.flatnonzero(similarity > best.min(axis=1, keepdims=True))
        rows, columns = np.divmod(better, similarity.shape[1])
        if own is not None and known.groups is not None:
            others = own[rows] != known.groups[columns]
            rows, columns = rows[others], columns[others]
        if len(rows) == 0:
            return
        counts = np.bincount(rows, minlength=len(best))
        touched = np.flatnonzero(counts)
        slots = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        more = np.full((len(touched), int(counts.max())), -np.inf, dtype=np.float32)
        where = np.full(more.shape, -1, dtype=np.int64)
        line = np.searchsorted(touched, rows)
        more[line, slots], where[line, slots] = similarity[rows, columns], columns + known.start
        best[touched], places[touched] = _largest(
            np.concatenate([best[touched], more], axis=1),
            np.concatenate([places[touched], where], axis=1),
            self._kept,
        )


def _largest(values: Singles, places: Integers | None, kept: int) -> tuple[Singles, Integers]:
    """Return the largest of each row with their places, which are their columns unless given."""
    if values.shape[1] > kept:
        chosen = np.argpartition(values, values.shape[1] - kept, axis=1)[:, -kept:]
    else:
        chosen = np.broadcast_to(np.arange(kept), values.shape)
    found = chosen.astype(np.int64) if places is None else np.take_along_axis(places, chosen, axis=1)
    return np.take_along_axis(values, chosen, axis=1), found
