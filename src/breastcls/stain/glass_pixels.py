"""Which pixels of an image show the glass of the slide and no tissue: lumina, fat cells and the background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# The sizes in pixels are those at a shorter side of 224 pixels.
_SIDE = 224
_NOISE_SIGMA = 0.8
_WINDOW = 5
# Below this shorter side, fat cells and lumina are only a few pixels across: their texture cannot be measured.
_SMALL_SIDE = 100
# Standard deviation of the optical density in a window: about 0.005 on glass and 0.03 in pale stroma.
_FLAT = 0.012
# The light of the lamp is at least this bright, and tissue alone is more pink than this.
_LEAST_LIGHT = 150.0
_MOST_PINK_LIGHT = 30.0
_BRIGHTEST_PERCENT = 95
# Limits of the optical density, and of how much more green (and blue) is absorbed than red, as by eosin: for the flat
# part of a region, and for its rim. 0.15 is the background of Macenko et al. 2009.
_DENSITY, _TINT = 0.08, 0.015
_RIM_DENSITY, _RIM_TINT = 0.15, 0.05
# Smaller regions take the kind of their surroundings: as a share of the shorter side, and of the area.
_SPECK_ACROSS = 0.01
_SPECK_AREA = 0.0005


def find_glass(image: np.ndarray) -> NDArray[np.bool_]:
    """Return where an image shows glass and no tissue, bool (height, width); very small regions are left out.

    A pixel is glass if it is nearly as bright as the light of the lamp, not pink relative to it, and without texture.
    Brightness alone is not enough: in a pale or overexposed image, stroma is as bright as glass, but it has fibres.
    The light of the lamp is the median of the brightest pixels without texture, so that a dim or tinted one is
    recognised. In images with a shorter side below 100 pixels the texture is not used.

    Args:
        image: uint8 (height, width, 3), RGB.

    Example:
        >>> image = np.full((20, 20, 3), 250, np.uint8)
        >>> image[:, :10] = (200, 120, 170)
        >>> find_glass(image)[10].astype(int).tolist()
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    """
    pixels = np.ascontiguousarray(image, dtype=np.float32)
    side = min(pixels.shape[:2])
    window = max(3, round(_WINDOW * side / _SIDE) | 1)
    flat = np.ones(pixels.shape[:2], bool)
    mean = pixels
    if side >= _SMALL_SIDE:
        flat = _texture(pixels[..., 1], _NOISE_SIGMA * side / _SIDE, window) < _FLAT
        mean = cv2.blur(pixels, (window, window))
    red, green, blue = cv2.split(mean)
    flat &= (np.minimum(np.minimum(red, green), blue) > _LEAST_LIGHT) & (red - green < _MOST_PINK_LIGHT)
    if flat.mean() < _SPECK_AREA:
        return np.zeros_like(flat)
    light = np.median(mean[flat & (green >= np.percentile(green[flat], _BRIGHTEST_PERCENT))], axis=0)
    inner = flat & _transmits(mean, light, _DENSITY, _TINT, _TINT)
    rim = _transmits(pixels, light, _RIM_DENSITY, _RIM_TINT, np.inf)
    return _without_specks(_grow(inner, rim, window // 2 + 1), side)


def _texture(values: np.ndarray, sigma: float, window: int) -> np.ndarray:
    """Return the local standard deviation of the optical density of one channel, without the noise of the camera."""
    density = cv2.log(np.maximum(cv2.GaussianBlur(values, (0, 0), sigma), 1.0))
    mean = cv2.blur(density, (window, window))
    variance = cv2.blur(density * density, (window, window)) - mean * mean
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _transmits(
    pixels: np.ndarray, light: np.ndarray, density: float, green_tint: float, blue_tint: float
) -> np.ndarray:
    """Return where the optical density is below a limit, and its excess over that of red in green and in blue also."""
    red, green, blue = (plane / np.float32(level) for plane, level in zip(cv2.split(pixels), light, strict=True))
    bright = np.minimum(np.minimum(red, green), blue) > np.exp(-density)
    return np.asarray(bright & (green > red * np.exp(-green_tint)) & (blue > red * np.exp(-blue_tint)))


def _grow(inner: np.ndarray, rim: np.ndarray, steps: int) -> np.ndarray:
    """Add the pixels of the rim that are connected with the inner ones by the given number of steps."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    grown, allowed = inner.astype(np.uint8), (inner | rim).astype(np.uint8)
    for _ in range(steps):
        grown = cv2.dilate(grown, cross) & allowed
    return grown


def _without_specks(mask: np.ndarray, side: int) -> NDArray[np.bool_]:
    mask = cv2.medianBlur(mask, max(3, round(_SPECK_ACROSS * side) | 1))
    _, regions, statistics, _ = cv2.connectedComponentsWithStats(mask)
    large = statistics[:, cv2.CC_STAT_AREA] >= _SPECK_AREA * mask.size
    # Region 0 is what is not glass.
    large[0] = False
    return np.asarray(large[regions], bool)
