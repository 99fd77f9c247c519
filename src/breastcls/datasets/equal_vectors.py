"""Rows of two datasets with the same vector, or with vectors that are equal up to rounding."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.vectors.vector_rows import Vectors

TOLERANCE = 1e-3
"""Largest distance of two similar vectors, relative to the length of the vector of the test image: the rounding of
float16 is half of it."""

# Vectors of fewer components are close to one another by chance.
_LEAST_SIZE = 16
# In units of the standard deviation over the training set: vectors with a large common part are not all similar.
_LARGEST_SHARE = 0.02
# Vectors are compared after projection to so many random directions first, which does not increase distances.
_DIRECTIONS = 8
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class EqualVectors:
    """What two datasets share.

    Attributes:
        identical: Pairs (training path, test path) of rows with the same vector.
        similar: Pairs of rows whose vectors differ by at most `TOLERANCE`.
        compared: Whether both have vectors of one size.
    """

    identical: tuple[tuple[str, str], ...] = ()
    similar: tuple[tuple[str, str], ...] = ()
    compared: bool = False


def find_equal_vectors(train: Dataset, test: Dataset, without: Collection[str] = ()) -> EqualVectors:
    """Return the rows of a test set whose vector is also in the training set; each of them once.

    Args:
        train: The training set.
        test: The test set.
        without: Paths of test images that are not compared, such as those of a single colour.
    """
    first, second = train.vector_rows, test.vector_rows
    if first is None or second is None or first.size != second.size or not len(first) or not len(second):
        return EqualVectors()
    given, wanted = first.array, second.array
    paths = np.array(test.paths, dtype=object)
    rows = np.flatnonzero([path not in without for path in paths]) if without else np.arange(len(paths))
    # The first row of each hash. Equal vectors have equal hashes; equal hashes are verified by the vectors.
    hashes, places = np.unique(first.hashes, return_index=True)
    found = np.searchsorted(hashes, second.hashes[rows]).clip(max=len(hashes) - 1)
    same = rows[hashes[found] == second.hashes[rows]]
    partners = places[found[hashes[found] == second.hashes[rows]]]
    equal = [bool(np.array_equal(given[a], wanted[b])) for a, b in zip(partners, same, strict=True)]
    pairs = {int(b): int(a) for a, b, ok in zip(partners, same, equal, strict=True) if ok}
    near = _find_near(given, wanted, np.setdiff1d(rows, list(pairs)))
    names = train.paths

    def named(of: dict[int, int]) -> tuple[tuple[str, str], ...]:
        return tuple((names[a], str(paths[b])) for b, a in sorted(of.items()))

    return EqualVectors(named(pairs), named(near), compared=True)


def _find_near(given: Vectors, wanted: Vectors, rows: npt.NDArray[np.int64]) -> dict[int, int]:
    """Return for some rows of `wanted` the first row of `given` within the tolerance, where there is one."""
    size = given.shape[1]
    if not len(rows) or size < _LEAST_SIZE:
        return {}
    generator = np.random.default_rng(0)
    directions = np.linalg.qr(generator.normal(size=(size, min(_DIRECTIONS, size))))[0].astype(np.float32)
    asked = _project(wanted, directions, rows)
    lengths = np.concatenate([np.linalg.norm(wanted[part].astype(np.float64), axis=1) for part in _parts(rows)])
    spread = np.sqrt(sum(np.var(given[:, part], axis=0, dtype=np.float64).sum() for part in _parts(np.arange(size))))
    radii = np.minimum(TOLERANCE * lengths, _LARGEST_SHARE * spread)
    candidates = cKDTree(_project(given, directions, np.arange(len(given)))).query_ball_point(
        asked, 1.01 * radii, workers=-1
    )
    near = {}
    for row, radius, several in zip(rows.tolist(), radii, candidates, strict=True):
        for place in sorted(several):
            if np.linalg.norm(given[place].astype(np.float64) - wanted[row]) <= radius:
                near[row] = place
                break
    return near


def _project(vectors: Vectors, directions: Vectors, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    return np.concatenate([vectors[part] @ directions for part in _parts(rows)])


def _parts(rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    return [rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE)]
