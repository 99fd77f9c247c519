"""Superpixels: regions of similar colour, of about equal size."""

from __future__ import annotations

import cv2
import numpy as np

# The weight of the distance from the centre of a cell, relative to differences of colour, which have values 0..255.
_COMPACTNESS = 12.0


def find_superpixels(image: np.ndarray, count: int) -> np.ndarray:
    """Divide an image into about `count` regions that follow its edges.

    The regions grow from a regular grid by a marker-controlled watershed of the gradient of the image, to which the
    distance from the centre of the cell is added ("waterpixels"). OpenCV computes the watershed.

    Args:
        image: float32 or uint8 (h, w, 3), RGB, values 0..255.
        count: Number of regions wanted. The grid has square cells as far as the sides of the image allow.

    Returns:
        int32 (h, w), the number of the region of each pixel, 0 to the number of regions minus 1, each present.

    References:
        Machairas et al. 2015, DOI 10.1109/TIP.2015.2451011.

    Example:
        >>> image = np.zeros((32, 32, 3), np.uint8)
        >>> regions = find_superpixels(image, 16)
        >>> regions.shape, int(regions.max()) + 1
        ((32, 32), 16)
    """
    height, width = image.shape[:2]
    rows = int(np.clip(round(np.sqrt(count * height / width)), 1, height))
    columns = int(np.clip(round(count / rows), 1, width))
    cell_of_row = np.minimum(np.arange(height) * rows // height, rows - 1)
    cell_of_column = np.minimum(np.arange(width) * columns // width, columns - 1)
    cells = cell_of_row[:, np.newaxis] * columns + cell_of_column
    # Distance from the centre of the cell: 0 at the centre, 1 at its border.
    y = np.abs(((np.arange(height) + 0.5) * rows / height) % 1.0 - 0.5) * 2
    x = np.abs(((np.arange(width) + 0.5) * columns / width) % 1.0 - 0.5) * 2
    distance = np.maximum(y[:, np.newaxis], x)
    blurred = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0)
    edges = np.max(
        [np.hypot(cv2.Sobel(c, cv2.CV_32F, 1, 0), cv2.Sobel(c, cv2.CV_32F, 0, 1)) for c in cv2.split(blurred)], axis=0
    )
    relief = np.clip(edges / 4.0 + _COMPACTNESS * distance, 0, 255).astype(np.uint8)
    # The middle of each cell is its marker.
    centre = distance <= min(1.0, max(0.35, 1.01 * distance.min()))
    markers = np.where(centre, cells + 1, 0).astype(np.int32)
    cv2.watershed(cv2.cvtColor(relief, cv2.COLOR_GRAY2BGR), markers)
    return _close_borders(markers, cells)


def _close_borders(markers: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Give the pixels between regions, which the watershed leaves as -1, to a neighbouring region, and renumber."""
    open_pixels = markers <= 0
    found = markers.astype(np.float32)
    found[open_pixels] = 0.0
    while open_pixels.any():
        grown = cv2.dilate(found, np.ones((3, 3), np.uint8))
        filled = open_pixels & (grown > 0)
        if not filled.any():
            found[open_pixels] = cells[open_pixels] + 1
            break
        found[filled] = grown[filled]
        open_pixels &= ~filled
    _, numbers = np.unique(found, return_inverse=True)
    return np.asarray(numbers, np.int32).reshape(markers.shape)
