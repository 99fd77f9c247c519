"""Noisy linear imputation: removed pixels become the weighted mean of their neighbours (ROAD, Rong et al. 2022).

A pixel that is replaced by a constant leaves an edge, so that the output of a network can depend on where pixels were
removed. Here the removed pixels are the solution of a linear system in which each is the mean of its eight neighbours,
direct ones with twice the weight of diagonal ones, as in the code of the authors of the paper.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

_DIRECT, _DIAGONAL = 1 / 6, 1 / 12
_NEIGHBOURS = {
    (0, 1): _DIRECT,
    (1, 0): _DIRECT,
    (1, 1): _DIAGONAL,
    (1, -1): _DIAGONAL,
}
"""Half of the neighbours; the others follow by symmetry."""
# Standard deviation of the noise that is added, as a fraction of the range of values.
NOISE = 0.01


def neighbour_weights(size: tuple[int, int]) -> sparse.csr_matrix:
    """Return the symmetric matrix of the weights of neighbours, float64 (pixels, pixels).

    Args:
        size: (height, width).
    """
    height, width = size
    numbers = np.arange(height * width).reshape(size)
    rows, columns, values = [], [], []
    for (down, across), weight in _NEIGHBOURS.items():
        first = numbers[: height - down, max(0, -across) : width - max(0, across)].ravel()
        second = numbers[down:, max(0, across) : width + min(0, across)].ravel()
        rows += [first, second]
        columns += [second, first]
        values.append(np.full(2 * len(first), weight))
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(entries, shape=(height * width,) * 2)


class Imputer:
    """Replaces removed pixels of images of one size, with the same pixels removed of several images.

    Args:
        weights: What `neighbour_weights` returned.
        removed: bool (height, width). At least one pixel has to be kept.
    """

    def __init__(self, weights: sparse.csr_matrix, removed: np.ndarray) -> None:
        self._removed = removed
        self._gone, kept = np.flatnonzero(removed), np.flatnonzero(~removed)
        rows = weights[self._gone]
        self._from_kept, self._kept = rows[:, kept], kept
        total = np.asarray(rows.sum(axis=1)).ravel()
        system = sparse.diags(total) - rows[:, self._gone]
        # The system is symmetric and positive definite, so that no pivoting is needed.
        self._solver = _factorise(system.tocsc()) if len(self._gone) else None

    def impute(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return an image with its removed pixels replaced, float32 (height, width, 3).

        Args:
            image: float32 (height, width, 3), values 0..255.
            generator: Source of the noise.
        """
        flat = image.reshape(-1, image.shape[-1]).astype(np.float64)
        if self._solver is not None:
            found = self._solver.solve(np.ascontiguousarray(self._from_kept @ flat[self._kept]))
            flat[self._gone] = found + generator.normal(0.0, NOISE * 255.0, found.shape)
        return np.clip(flat, 0.0, 255.0).astype(np.float32).reshape(image.shape)


def _factorise(system: Any) -> Any:
    return splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
