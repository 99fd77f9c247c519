"""Heat-maps as pictures: coloured, and laid over the image so that the tissue stays visible."""

from __future__ import annotations

from typing import Any

import numpy as np

from breastcls.errors import ExplanationError


def colour_heatmap(heatmap: np.ndarray, colour_map: str = "viridis") -> np.ndarray:
    """Colour a heat-map.

    Args:
        heatmap: float32 (h, w), 0..1; NaN where nothing is known, drawn in grey.
        colour_map: A Matplotlib colour map. `"viridis"` reads the same with every kind of colour blindness
            and in grey, and stands off from the pink and violet of haematoxylin and eosin.

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
        ExplanationError: If there is none of that name.
    """
    import matplotlib

    if name not in matplotlib.colormaps:
        raise ExplanationError(
            f"Matplotlib has no colour map {name!r}. Colour-blind-safe: viridis, cividis, magma, inferno."
        )
    return matplotlib.colormaps[name]


def draw_overlay(
    image: np.ndarray, heatmap: np.ndarray, *, alpha: float = 0.6, colour_map: str = "viridis"
) -> np.ndarray:
    """Lay a heat-map over an image.

    The colour is the more opaque the higher the value, so that tissue without evidence keeps its own colour;
    what the model did not see (NaN) is faded to grey.

    Args:
        image: uint8 (h, w, 3), RGB.
        heatmap: float32 (h, w), 0..1 or NaN.
        alpha: Opacity where the heat-map is 1; between 0 and 1.
        colour_map: As in `colour_heatmap`.

    Returns:
        uint8 (h, w, 3), RGB.

    Raises:
        ExplanationError: If the sizes differ or `alpha` is out of range.
    """
    if image.shape[:2] != heatmap.shape:
        raise ExplanationError(f"The image is {image.shape[:2]} and the heat-map {heatmap.shape}; expected one size.")
    if not 0.0 <= alpha <= 1.0:
        raise ExplanationError(f"alpha is {alpha}; expected 0 to 1.")
    known = np.isfinite(heatmap)[..., np.newaxis]
    opacity = alpha * np.nan_to_num(np.clip(heatmap, 0.0, 1.0))[..., np.newaxis]
    picture = image.astype(np.float32)
    blended = picture * (1.0 - opacity) + colour_heatmap(heatmap, colour_map) * opacity
    faded = 0.35 * picture.mean(axis=-1, keepdims=True) + 0.65 * 200.0
    return np.asarray(np.rint(np.where(known, blended, faded)).astype(np.uint8))
