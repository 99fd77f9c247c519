"""Coloured heat-maps, and images with a heat-map blended over them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.colour_maps import colour_table, find_colour_map

CONTOUR_LEVELS = (0.25, 0.5, 0.75)
"""The values of a heat-map at which contour lines are drawn."""


@dataclass(frozen=True)
class OverlayStyle:
    """How heat-maps are drawn over images.

    Attributes:
        alpha: Opacity where the heat-map is 1, between 0 and 1.
        colour_map: A perceptually uniform colour map, such as one of `COLOUR_MAPS`.
        contours: Whether to draw contour lines at 0.25, 0.5 and 0.75 instead of colours, which leaves the tissue
            visible.
        tissue_only: Whether to draw nothing on glass.
        by_share: Whether to reduce the opacity of heat-maps with little positive evidence; see `evidence_opacity`.

    Raises:
        ExplanationError: If `alpha` is out of range, or the colour map is unknown or not perceptually uniform.

    Example:
        >>> OverlayStyle(alpha=0.4, contours=True).colour_map
        'viridis'
    """

    alpha: float = 0.6
    colour_map: str = "viridis"
    contours: bool = False
    tissue_only: bool = True
    by_share: bool = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.alpha <= 1.0:
            raise ExplanationError(f"alpha is {self.alpha}; expected a number from 0 to 1.")
        find_colour_map(self.colour_map)


def colour_heatmap(heatmap: np.ndarray, colour_map: str = "viridis") -> np.ndarray:
    """Return a heat-map in colour.

    Args:
        heatmap: float32 (h, w), 0..1 or NaN. NaN is drawn in grey.
        colour_map: A perceptually uniform Matplotlib colour map. `"viridis"` is readable with every kind of colour
            blindness and in greyscale, and contrasts with the pink and violet of haematoxylin and eosin.

    Returns:
        uint8 (h, w, 3), RGB.

    Raises:
        ExplanationError: If Matplotlib has no such colour map, or it is not perceptually uniform.

    Example:
        >>> colour_heatmap(np.array([[0.0, 1.0]], np.float32)).tolist()
        [[[68, 1, 84], [253, 231, 36]]]
    """
    known = np.isfinite(heatmap)
    steps = np.where(known, np.clip(np.nan_to_num(heatmap), 0.0, 1.0) * 255.0 + 0.5, 0.0).astype(np.uint8)
    coloured = colour_table(colour_map)[steps]
    coloured[~known] = 128
    return np.asarray(coloured)


def draw_overlay(
    image: np.ndarray,
    heatmap: np.ndarray,
    *,
    style: OverlayStyle | None = None,
    opacity: float = 1.0,
    glass: np.ndarray | None = None,
) -> np.ndarray:
    """Return an image with a heat-map blended over it.

    The opacity is proportional to the value, so that tissue without evidence keeps its colour. Pixels outside of the
    model's input (NaN) are drawn in pale grey.

    Args:
        image: uint8 (h, w, 3), RGB.
        heatmap: float32 (h, w), 0..1 or NaN.
        style: How it is drawn; the default style if None.
        opacity: A further factor for the whole heat-map, between 0 and 1; see `evidence_opacity`.
        glass: Pixels that keep their colour, bool (h, w), or None.

    Returns:
        uint8 (h, w, 3), RGB.

    Raises:
        ExplanationError: If the sizes differ.
    """
    style = style or OverlayStyle()
    if image.shape[:2] != heatmap.shape:
        raise ExplanationError(
            f"The image has the size {image.shape[:2]} and the heat-map {heatmap.shape}; expected equal sizes."
        )
    known = np.isfinite(heatmap)[..., np.newaxis]
    pixels = image.astype(np.float32)
    if style.contours:
        coloured, weight = _contour_lines(heatmap, style.colour_map)
    else:
        coloured = colour_heatmap(heatmap, style.colour_map)
        weight = style.alpha * np.nan_to_num(np.clip(heatmap, 0.0, 1.0))
    weight = weight * opacity
    if glass is not None:
        weight = np.where(glass, 0.0, weight)
    weight = weight[..., np.newaxis]
    blended = pixels * (1.0 - weight) + coloured * weight
    faded = 0.35 * pixels.mean(axis=-1, keepdims=True) + 0.65 * 200.0
    return np.asarray(np.rint(np.where(known, blended, faded)).astype(np.uint8))


def _contour_lines(heatmap: np.ndarray, colour_map: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines in colour, uint8 (h, w, 3), and their opacity, float32 (h, w).

    Each line has a dark border, which separates it from pale and from yellow tissue.
    """
    # The outline of a region that touches the edge of the image runs outside of it.
    thickness = max(1, round(min(heatmap.shape) / 150))
    margin = 2 * thickness
    values = np.pad(np.nan_to_num(heatmap), margin, mode="edge")
    coloured = np.full((*values.shape, 3), 30, np.uint8)
    drawn = np.zeros(values.shape, np.uint8)
    outlines = [
        cv2.findContours((values >= level).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
        for level in CONTOUR_LEVELS
    ]
    for outline in outlines:
        cv2.drawContours(drawn, outline, -1, 255, thickness + 2)
    table = colour_table(colour_map)
    for level, outline in zip(CONTOUR_LEVELS, outlines, strict=True):
        colour = tuple(int(part) for part in table[round(255 * level)])
        cv2.drawContours(coloured, outline, -1, colour, thickness)
    inside = np.s_[margin:-margin, margin:-margin]
    return coloured[inside], (drawn[inside] / 255.0).astype(np.float32)
