"""Images on which the outputs of an engine are compared with those of Keras."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def make_comparison_images(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return eight images, uint8 (8, height, width, 3): six textures in the colours of H&E, a white and a black image.

    The same size gives the same images. They have structures of several sizes, so that filters of all layers respond.

    Example:
        >>> make_comparison_images(20, 30).shape
        (8, 20, 30, 3)
    """
    rng = np.random.default_rng(20)
    images = np.zeros((8, height, width, 3))
    for number, image in enumerate(images[:6]):
        density = np.zeros((height, width, 2))
        for cells in (2, 5, 13, 34):
            rows, columns = (np.arange(side) * cells // side for side in (height, width))
            density += rng.random((cells, cells, 2))[rows][:, columns]
        # Optical densities of haematoxylin and eosin in red, green and blue (Ruifrok and Johnston 2001).
        stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]]) * (0.1 + 0.15 * number)
        image[:] = 255 * np.exp(-density @ stains) + rng.normal(0, 6, image.shape)
    images[6] = 255
    return np.clip(images, 0, 255).astype(np.uint8)
