"""Handcrafted features: every image is read once, and only its features are kept in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from breastcls.images.decode import read_image
from breastcls.images.resize import Pixels

Features = npt.NDArray[np.float64]
FeatureExtractor = Callable[[Pixels], Features]
"""From an image uint8 (height, width, 3) to its features, float64 (features,)."""


def compute_image_features(extract: FeatureExtractor, paths: Sequence[str]) -> Features:
    """Read every image and return its features.

    Args:
        extract: From one image to its features.
        paths: n files.

    Returns:
        float64 (n, features), in the order of the files.

    Raises:
        ImageError: If an image cannot be read.

    Example:
        >>> compute_image_features(lambda image: image.mean(axis=(0, 1)), data.paths)  # doctest: +SKIP
    """
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return np.stack(list(pool.map(lambda path: extract(read_image(path)), paths)))
