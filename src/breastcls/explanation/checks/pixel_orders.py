"""Orders in which pixels are removed: by a heat-map, by random maps, and by the distance from the centre."""

from __future__ import annotations

import cv2
import numpy as np

# Positions along each side of a random map: those of the last feature map of most networks at 224 pixels.
CELLS = 7


def pixel_order(heatmap: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the numbers of the pixels in decreasing order of a map, int64 (h * w,).

    Equal values, such as the zeros of a sparse map, are in random order: row after row would be a spatial pattern.

    Args:
        heatmap: float32 (h, w).
        seed: Seed of the order of equal values.
    """
    shuffled = np.random.default_rng(seed).permutation(heatmap.size)
    return np.asarray(shuffled[np.argsort(-heatmap.ravel()[shuffled], kind="stable")])


def random_maps(count: int, size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Return maps of random values that are as smooth as class activation maps, float32 (count, height, width).

    Pixels in random order would not be a fair baseline: removing a few of them everywhere destroys the texture of the
    whole image, which no coarse map can do.

    Args:
        count: Number of maps.
        size: (height, width).
        seed: Seed of the values.
    """
    grids = np.random.default_rng(seed).random((count, CELLS, CELLS)).astype(np.float32)
    return np.stack([cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC) for grid in grids])


def centre_map(size: tuple[int, int]) -> np.ndarray:
    """Return a map that decreases with the distance from the centre, 1 at the centre, float32 (height, width).

    In photographs, and in many images of lesions, the object is in the middle: a heat-map has to be better than this
    map, which does not depend on the model.

    Args:
        size: (height, width).
    """
    y = (np.arange(size[0]) + 0.5) / size[0] - 0.5
    x = (np.arange(size[1]) + 0.5) / size[1] - 0.5
    return np.asarray(1.0 - np.hypot(y[:, np.newaxis], x) * np.sqrt(2.0), np.float32)
