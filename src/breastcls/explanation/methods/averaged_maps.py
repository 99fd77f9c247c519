"""Sharper class activation maps: the mean over dihedral transforms, and tiles of the enlarged image."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from breastcls.argument_checks import check_count
from breastcls.errors import ExplanationError

Compute = Callable[[np.ndarray], np.ndarray]


def average_dihedral(compute: Compute, images: np.ndarray) -> np.ndarray:
    """Return the mean of the maps of the rotated and mirrored images, each turned back.

    The positions of a feature map are centred at other pixels of a mirrored image, so that the mean has more detail. A
    histological image has no preferred orientation.

    Args:
        compute: Returns maps (n, rows, columns) of images (n, h, w, 3).
        images: float32 (n, h, w, 3). Square images have eight transforms, others four.
    """
    quarters = range(4) if images.shape[1] == images.shape[2] else (0, 2)
    total: np.ndarray | float = 0.0
    for quarter in quarters:
        for mirrored in (False, True):
            turned = np.rot90(images[:, :, ::-1] if mirrored else images, quarter, axes=(1, 2))
            values = np.rot90(compute(np.ascontiguousarray(turned)), -quarter, axes=(1, 2))
            total = total + (values[:, :, ::-1] if mirrored else values)
    return np.asarray(total, np.float32) / np.float32(2 * len(quarters))


def join_tiles(compute: Compute, images: np.ndarray, tiles: int) -> np.ndarray:
    """Return the maps of overlapping tiles of the enlarged image, joined; where tiles overlap their mean.

    The image is enlarged so that `tiles` tiles of the model's input size fit side by side, and neighbouring tiles
    overlap by half. The tissue is then at a higher magnification than in training, and no input is the whole image.

    Args:
        compute: Returns maps (n, rows, columns) of images (n, h, w, 3).
        images: float32 (n, h, w, 3).
        tiles: The factor by which the image is enlarged, 1 or more.

    Raises:
        ExplanationError: If `tiles` is less than one.
    """
    check_count("tiles", tiles, error=ExplanationError)
    if tiles == 1:
        return compute(images)
    count, height, width = images.shape[:3]
    size = (width * tiles, height * tiles)
    large = np.stack([cv2.resize(image, size, interpolation=cv2.INTER_CUBIC) for image in images]).clip(0, 255)
    total: np.ndarray | None = None
    weight: np.ndarray | None = None
    for row in range(2 * tiles - 1):
        for column in range(2 * tiles - 1):
            top, left = row * height // 2, column * width // 2
            values = compute(np.ascontiguousarray(large[:, top : top + height, left : left + width]))
            if values.shape[1] % 2 or values.shape[2] % 2:
                # So that half a tile is a whole number of positions.
                values = values.repeat(2, axis=1).repeat(2, axis=2)
            rows, columns = values.shape[1:]
            if total is None or weight is None:
                weight = np.zeros((rows * tiles, columns * tiles))
                total = np.zeros((count, *weight.shape))
            first, start = row * rows // 2, column * columns // 2
            total[:, first : first + rows, start : start + columns] += values
            weight[first : first + rows, start : start + columns] += 1.0
    assert total is not None
    assert weight is not None
    return np.asarray(total / weight, np.float32)
