"""Exact nearest neighbours of vectors by chunked products of matrices, in bounded memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from breastcls.errors import EvaluationError
from breastcls.features.shared_features import row_blocks

Distance = Literal["cosine", "euclidean"]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

_QUERIES, _VECTORS = 1024, 4096
# Rounding errors of float32 change the order of nearly equal distances: more neighbours are kept, and their distances
# computed in float64.
_SPARE = 12


def find_neighbours(
    vectors: npt.NDArray[Any],
    queries: npt.NDArray[Any],
    count: int,
    *,
    distance: Distance = "cosine",
    threads: int = 1,
) -> tuple[Integers, npt.NDArray[np.float64]]:
    """Return the nearest of `vectors` for each of `queries`, the nearest first; of equally near ones the first.

    Args:
        vectors: (n, d) of any float type, also memory-mapped.
        queries: (m, d).
        count: Number of neighbours k, at most n.
        distance: "cosine" (1 - cosine similarity) or "euclidean".
        threads: Number of threads.

    Returns:
        Positions in `vectors`, int64 (m, k), and distances, float64 (m, k).

    Raises:
        EvaluationError: If `distance` is neither, or `count` is not in 1..n.

    Example:
        >>> positions, distances = find_neighbours(np.eye(3), np.array([[1.0, 0.9, 0.0]]), 2, distance="euclidean")
        >>> positions.tolist(), distances.round(3).tolist()
        ([[0, 1]], [[0.9, 1.005]])
    """
    if distance not in get_args(Distance):
        raise EvaluationError(f'distance is {distance!r}; expected "cosine" or "euclidean".')
    if not 1 <= count <= len(vectors):
        raise EvaluationError(f"count is {count}; expected 1 to {len(vectors)}, the number of vectors.")
    kept = min(len(vectors), count + _SPARE)
    centre = None if distance == "cosine" else vectors.mean(axis=0, dtype=np.float64)
    known, halves = _prepare(vectors, centre)

    def of_block(block: slice) -> tuple[Integers, npt.NDArray[np.float64]]:
        asked, _ = _prepare(queries[block], centre)
        found = _candidates(known, halves, asked, kept)
        return _rank(known, asked, found, count, distance)

    blocks = list(row_blocks(len(queries), 1, _QUERIES))
    with threadpool_limits(limits=1), ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(of_block, blocks))
    positions = np.concatenate([part[0] for part in parts]) if parts else np.zeros((0, count), np.int64)
    return positions, np.concatenate([part[1] for part in parts]) if parts else np.zeros((0, count))


def _prepare(vectors: npt.NDArray[Any], centre: npt.NDArray[np.float64] | None) -> tuple[Singles, Singles | None]:
    """Return vectors of length 1, or centred ones and half of their squared lengths."""
    ready = np.empty(vectors.shape, dtype=np.float32)
    halves = None if centre is None else np.empty(len(vectors), dtype=np.float32)
    for block in row_blocks(*vectors.shape):
        part = vectors[block].astype(np.float64)
        if centre is None:
            lengths = np.linalg.norm(part, axis=1, keepdims=True)
            ready[block] = part / np.where(lengths > 0, lengths, 1.0)
        else:
            part -= centre
            ready[block] = part
            assert halves is not None
            halves[block] = (part**2).sum(axis=1) / 2
    return ready, halves


def _candidates(known: Singles, halves: Singles | None, asked: Singles, kept: int) -> Integers:
    """Return the positions of the `kept` vectors of largest similarity, in no order, int64 (m, kept)."""
    best, places = np.empty((len(asked), 0), np.float32), np.empty((len(asked), 0), np.int64)
    for block in row_blocks(len(known), 1, max(_VECTORS, kept)):
        similarity = asked @ known[block].T
        if halves is not None:
            similarity -= halves[block]
        if block.start == 0:
            best, places = _largest(similarity, None, kept)
            continue
        # Few are better than the worst that is kept: finding them costs less than sorting.
        rows, columns = np.divmod(np.flatnonzero(similarity > best.min(axis=1, keepdims=True)), similarity.shape[1])
        if len(rows) == 0:
            continue
        counts = np.bincount(rows, minlength=len(asked))
        touched = np.flatnonzero(counts)
        slots = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        more = np.full((len(touched), int(counts.max())), -np.inf, dtype=np.float32)
        where = np.zeros(more.shape, dtype=np.int64)
        line = np.searchsorted(touched, rows)
        more[line, slots], where[line, slots] = similarity[rows, columns], columns + block.start
        best[touched], places[touched] = _largest(
            np.concatenate([best[touched], more], axis=1), np.concatenate([places[touched], where], axis=1), kept
        )
    return places


def _largest(values: Singles, places: Integers | None, kept: int) -> tuple[Singles, Integers]:
    """Return the largest of each row with their places, which are their columns unless given."""
    if values.shape[1] > kept:
        chosen = np.argpartition(values, values.shape[1] - kept, axis=1)[:, -kept:]
    else:
        chosen = np.broadcast_to(np.arange(kept), values.shape)
    found = chosen.astype(np.int64) if places is None else np.take_along_axis(places, chosen, axis=1)
    return np.take_along_axis(values, chosen, axis=1), found


def _rank(
    known: Singles, asked: Singles, places: Integers, count: int, distance: Distance
) -> tuple[Integers, npt.NDArray[np.float64]]:
    """Return the nearest of the candidates with their distances in float64."""
    distances = np.empty(places.shape)
    for block in row_blocks(len(asked), places.shape[1] * asked.shape[1]):
        # The square of a difference has no cancellation, unlike the difference of products.
        differences = known[places[block]].astype(np.float64) - asked[block, None]
        squares = np.einsum("mkd,mkd->mk", differences, differences)
        distances[block] = squares / 2 if distance == "cosine" else np.sqrt(squares)
    order = np.lexsort((places, distances), axis=1)[:, :count]
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(distances, order, axis=1)
