"""Images with information removed: without colour, without structure, or only their mean colour."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from breastcls.errors import ImageError
from breastcls.images.resize import Pixels


def to_grey(image: Pixels) -> Pixels:
    """Return the image without colour: three equal channels of its luminance (ITU-R BT.601).

    Args:
        image: uint8 (height, width, 3), RGB.

    Returns:
        uint8 of the same shape.

    Example:
        >>> to_grey(np.full((1, 1, 3), (255, 0, 0), np.uint8)).tolist()
        [[[76, 76, 76]]]
    """
    return cast("Pixels", cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def shuffle_blocks(image: Pixels, grid: int, generator: np.random.Generator) -> Pixels:
    """Cut an image into a grid of equal blocks and put them together in random order, without rotation.

    The content of a block is kept; the arrangement of the blocks is lost. Where a side is not a multiple of `grid`,
    the remaining rows or columns stay in place along the edges.

    Args:
        image: uint8 (height, width, 3).
        grid: Blocks along each side.
        generator: It determines the order.

    Returns:
        uint8 of the same shape, with the same pixels.

    Raises:
        ImageError: If the image is smaller than the grid.

    Example:
        >>> image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
        >>> shuffled = shuffle_blocks(image, 2, np.random.default_rng(0))
        >>> sorted(shuffled.ravel().tolist()) == list(range(12))
        True
    """
    height, width = (image.shape[0] // grid, image.shape[1] // grid) if grid > 0 else (0, 0)
    if min(height, width) < 1:
        raise ImageError(
            f"An image of {image.shape[0]}x{image.shape[1]} pixels cannot be cut into {grid} blocks per side; choose a "
            "smaller grid."
        )
    top, left = (image.shape[0] - grid * height) // 2, (image.shape[1] - grid * width) // 2
    inside = (slice(top, top + grid * height), slice(left, left + grid * width))
    blocks = image[inside].reshape(grid, height, grid, width, 3).swapaxes(1, 2).reshape(-1, height, width, 3)
    shuffled = blocks[generator.permutation(grid * grid)].reshape(grid, grid, height, width, 3)
    out = image.copy()
    out[inside] = shuffled.swapaxes(1, 2).reshape(grid * height, grid * width, 3)
    return out


def shuffle_pixels(image: Pixels, generator: np.random.Generator) -> Pixels:
    """Return the image with its pixels in random order: only the distribution of its colours is kept.

    Args:
        image: uint8 (height, width, 3).
        generator: It determines the order.

    Returns:
        uint8 of the same shape.
    """
    return generator.permutation(image.reshape(-1, 3), axis=0).reshape(image.shape)


def to_mean_colour(image: Pixels) -> Pixels:
    """Return an image of one colour: the rounded mean of the given one.

    Example:
        >>> image = np.array([[[0, 10, 20], [100, 10, 40]]], np.uint8)
        >>> to_mean_colour(image).tolist()
        [[[50, 10, 30], [50, 10, 30]]]
    """
    mean = np.rint(image.reshape(-1, 3).mean(axis=0, dtype=np.float64)).astype(np.uint8)
    return np.broadcast_to(mean, image.shape).copy()
