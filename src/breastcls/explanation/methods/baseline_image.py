"""Baseline images, which replace an image where a method removes information."""

from __future__ import annotations

import cv2
import numpy as np

from breastcls.errors import ExplanationError

BASELINES = ("white", "black", "mean", "blur")


def make_baseline(images: np.ndarray, kind: str) -> np.ndarray:
    """Return baseline images, float32 of the same shape.

    Args:
        images: float32 (n, h, w, 3), RGB, values 0..255.
        kind: `"white"`, the empty glass of a slide; `"black"`; `"mean"`, the mean colour of each image; `"blur"`, the
            image blurred by a Gaussian with a standard deviation of a tenth of its longer side.

    Raises:
        ExplanationError: If there is no such kind.

    Example:
        >>> make_baseline(np.zeros((1, 2, 2, 3), np.float32), "white")[0, 0, 0]
        array([255., 255., 255.], dtype=float32)
    """
    if kind == "white":
        return np.full_like(images, 255.0)
    if kind == "black":
        return np.zeros_like(images)
    if kind == "mean":
        return np.broadcast_to(images.mean(axis=(1, 2), keepdims=True), images.shape).astype(np.float32)
    if kind == "blur":
        sigma = max(images.shape[1:3]) / 10.0
        return np.stack([cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE) for image in images])
    raise ExplanationError(f"No baseline is named {kind!r}. Known: {', '.join(BASELINES)}.")
