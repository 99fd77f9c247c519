"""Coloured heat-maps, and images with a heat-map blended over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from breastcls.errors import ExplanationError


def colour_heatmap(heatmap: np.ndarray, colour_map: str = "viridis") -> np.ndarray:
    """Return a heat-map in colour.

    Args:
        heatmap: float32 (h, w), 0..1 or NaN. NaN is drawn in grey.
        colour_map: A Matplotlib colour map. `"viridis"` is readable with every kind of colour blindness and in
            greyscale, and contrasts with the pink and violet of haematoxylin and eosin.

    Returns:
        uint8 (h, w, 3), RGB.

    Raises:
        ExplanationError: If Matplotlib has no such colour map.

    Example:
        >>> colour_heatmap(np.array([[0.0, 1.0]], np.float32)).tolist()
        [[[68, 1, 84], [253, 231, 36]]]
    """
    table = (find_colour_map(colour_map)(np.linspace(0.0, 1.0, 256))[:, :3] * 255.0).astype(np.uint8)
    known = np.isfinite(heatmap)
    steps = np.where(known, np.clip(np.nan_to_num(heatmap), 0.0, 1.0) * 255.0 + 0.5, 0.0).astype(np.uint8)
    coloured = table[steps]
    coloured[~known] = 128
    return np.asarray(coloured)


def find_colour_map(name: str) -> Any:
    """Return a Matplotlib colour map by name.

    Raises:
        ExplanationError: If there is no colour map of that name.
    """
    import matplotlib

    if name not in matplotlib.colormaps:
        raise ExplanationError(
            f"Matplotlib has no colour map {name!r}. Readable when colour-blind: viridis, cividis, magma, inferno."
        )
    return matplotlib.colormaps[name]


def draw_overlay(
    image: np.ndarray, heatmap: np.ndarray, *, alpha: float = 0.6, colour_map: str = "viridis"
) -> np.ndarray:
    """Return an image with a heat-map blended over it.

    The opacity is proportional to the value, so that tissue without evidence keeps its colour. Pixels outside of the
    model's input (NaN) are drawn in pale grey.

    Args:
        image: uint8 (h, w, 3), RGB.
        heatmap: float32 (h, w), 0..1 or NaN.
        alpha: Opacity where the heat-map is 1, between 0 and 1.
        colour_map: A Matplotlib colour map, see `colour_heatmap`.

    Returns:
        uint8 (h, w, 3), RGB.

    Raises:
        ExplanationError: If the sizes differ or `alpha` is out of range.
    """
    if image.shape[:2] != heatmap.shape:
        raise ExplanationError(
            f"The image has the size {image.shape[:2]} and the heat-map {heatmap.shape}; expected equal sizes."
        )
    if not 0.0 <= alpha <= 1.0:
        raise ExplanationError(f"alpha is {alpha}; expected a number from 0 to 1.")
    known = np.isfinite(heatmap)[..., np.newaxis]
    opacity = alpha * np.nan_to_num(np.clip(heatmap, 0.0, 1.0))[..., np.newaxis]
    pixels = image.astype(np.float32)
    blended = pixels * (1.0 - opacity) + colour_heatmap(heatmap, colour_map) * opacity
    faded = 0.35 * pixels.mean(axis=-1, keepdims=True) + 0.65 * 200.0
    return np.asarray(np.rint(np.where(known, blended, faded)).astype(np.uint8))
