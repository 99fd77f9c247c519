"""Optical density, in which the contributions of stains are additive."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from breastcls.images.resize import Pixels

Density = npt.NDArray[np.float32]

HAEMATOXYLIN_EOSIN_RESIDUAL = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Optical density of R, G, B of haematoxylin, eosin and a residual, as unit vectors (Ruifrok & Johnston 2001)."""
HAEMATOXYLIN_EOSIN_RESIDUAL /= np.linalg.norm(HAEMATOXYLIN_EOSIN_RESIDUAL, axis=1, keepdims=True)


def density_table(light: float) -> Density:
    """Return the optical density of the 256 grey levels for a background of `light`.

    One is added to the levels, so that the density of black is finite.
    """
    return -np.log((np.arange(256) + 1) / light).astype(np.float32)


_DENSITY_OF_LEVEL = density_table(256)


def to_density(image: Pixels, table: Density = _DENSITY_OF_LEVEL) -> Density:
    """Return the optical density of an image, float32 of the same shape."""
    return cast("Density", cv2.LUT(image, table))


def from_density(density: Density, matrix: npt.NDArray[np.float64], offset: npt.NDArray[np.float64]) -> Density:
    """Return the exponential of `offset - density @ matrix`, float32 of the same shape."""
    return cast("Density", cv2.exp(cv2.transform(density, np.column_stack([-matrix.T, offset]))))


def recolour_density(image: Pixels, matrix: npt.NDArray[np.float64], offset: npt.NDArray[np.float64]) -> Pixels:
    """Change the optical density of an image: the density of a pixel becomes `density @ matrix + offset`.

    Args:
        image: uint8 of shape (height, width, 3).
        matrix: (3, 3).
        offset: (3,).

    Returns:
        uint8 of the same shape.
    """
    light = from_density(to_density(image), matrix, np.log(256) - offset)
    return to_levels(light)


def to_levels(light: Density) -> Pixels:
    """Convert light from 1 to 256 to grey levels from 0 to 255, rounded and clipped."""
    # OpenCV takes the absolute value, so that negative values must be clipped first.
    return cast("Pixels", cv2.convertScaleAbs(np.maximum(light, 1, out=light), alpha=1.0, beta=-1.0))
