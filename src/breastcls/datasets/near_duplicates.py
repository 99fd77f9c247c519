"""Near duplicates of training images among test images: resized, recompressed, recoloured or turned copies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.images.decode import read_image
from breastcls.images.perceptual_hash import ORIENTATIONS, find_near_pairs, grey_thumbnail, orientations

HASH_DISTANCE = 7
"""Largest number of differing bits, of 64, in the perceptual hashes of a candidate pair."""

LEAST_CORRELATION = 0.8
"""Smallest correlation of the grey levels of a pair at 32 x 32 pixels.

`benchmarks/near_duplicates.py` measures both thresholds together: among 27 million pairs of real images of different
cases none reaches them, and of copies that are recompressed, halved, brightened, recoloured, turned or noisy 98% do."""


def find_near_duplicates(train: pd.DataFrame, test: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the pairs of near duplicates, each test image once, with its first match.

    Candidates are found by perceptual hashes in all eight orientations, and verified by the pixels of both images.

    Args:
        train: The training images, with the columns `path` and `perceptual` of `fingerprint_files`.
        test: The test images, likewise.

    Returns:
        Pairs (training path, test path).

    Raises:
        ImageError: If a file cannot be read.
    """
    first, second = (table[table["perceptual"].notna()].reset_index(drop=True) for table in (train, test))
    if first.empty or second.empty:
        return []
    own = _hashes(first)[:, 0]
    others = _hashes(second).ravel()
    found: dict[int, int] = {}
    for row, position in find_near_pairs(own, HASH_DISTANCE, others).tolist():
        column, orientation = divmod(position, ORIENTATIONS)
        if column not in found and _similar(first["path"][row], second["path"][column], orientation):
            found[column] = row
    return [(str(first["path"][row]), str(second["path"][column])) for column, row in sorted(found.items())]


def correlate(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    """Return the correlation of two grey images of the same shape."""
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def _hashes(table: pd.DataFrame) -> npt.NDArray[np.uint64]:
    return np.frombuffer(b"".join(table["perceptual"]), "<u8").reshape(-1, ORIENTATIONS)


def _similar(first: str, second: str, orientation: int) -> bool:
    return correlate(_thumbnail(first), orientations(_thumbnail(second))[orientation]) >= LEAST_CORRELATION


def _thumbnail(path: str) -> npt.NDArray[np.float32]:
    return grey_thumbnail(read_image(path))
