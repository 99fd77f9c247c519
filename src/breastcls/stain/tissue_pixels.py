"""Which pixels of an image are tissue, for all stain normalizers."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from breastcls.images.resize import Pixels
from breastcls.stain.normalizer import UnfitImageError

LIGHT = 240.0
"""Background intensity of Macenko et al. 2009."""

# Density up to 0.15 is background (Macenko et al. 2009).
_LEAST_DENSITY = 0.15
# The light of the lamp is that of the brightest pixels, where these are bright and white enough to be glass: a dim one
# has to be greyer, because the brightest pixels of tissue without glass are pink.
_BRIGHTEST_PERCENT = 99.5
_BRIGHT_LIGHT, _DIM_LIGHT = 215.0, 180.0
_BRIGHT_TINT, _DIM_TINT = 35.0, 20.0
_DIM_DENSITY = 0.09
_SAMPLED_ROWS = 150
LEAST_SHARE = 0.005
"""Share of tissue below which an image is not normalised."""
_LEAST_PIXELS = 16


def tissue_mask(image: Pixels, light: float = LIGHT) -> Pixels:
    """Return 255 for pixels with an optical density above 0.15 in all channels and 0 for others, (height, width).

    Args:
        image: uint8 of shape (height, width, 3).
        light: Intensity of the background.
    """
    level = int(light * np.exp(-_LEAST_DENSITY) - 1)
    return cast("Pixels", cv2.inRange(image, (0, 0, 0), (level,) * 3))


def glass_mask(image: Pixels) -> Pixels:
    """Return 255 for pixels with an optical density of at most 0.15 in all channels and 0 for others, (height, width).

    Pale tissue absorbs in some channels only: it is neither tissue by `tissue_mask`, from whose colour stains are
    estimated, nor glass. The density is relative to the light of this image, because lamps are tinted; in a dim image,
    whose contrast is low, it is at most 0.09.

    Args:
        image: uint8 of shape (height, width, 3).
    """
    step = max(1, min(image.shape[:2]) // _SAMPLED_ROWS)
    brightest = np.percentile(image[::step, ::step].reshape(-1, 3), _BRIGHTEST_PERCENT, axis=0)
    darkest, tint = float(brightest.min()), float(np.ptp(brightest))
    if darkest >= _BRIGHT_LIGHT and tint <= _BRIGHT_TINT:
        levels = brightest * np.exp(-_LEAST_DENSITY)
    elif darkest >= _DIM_LIGHT and tint <= _DIM_TINT:
        levels = brightest * np.exp(-_DIM_DENSITY)
    else:
        levels = np.full(3, LIGHT * np.exp(-_LEAST_DENSITY))
    least = tuple(float(level) for level in levels)
    return cast("Pixels", cv2.inRange(image, least, (255.0,) * 3))


def check_tissue(mask: Pixels, least_share: float = LEAST_SHARE) -> None:
    """Check that a share of an image, and at least 16 pixels, are tissue.

    Args:
        mask: The result of `tissue_mask`.
        least_share: The least share.

    Raises:
        UnfitImageError: If not: the image shows glass, whose colour must not be changed to that of tissue.
    """
    if cv2.countNonZero(mask) < max(_LEAST_PIXELS, least_share * mask.size):
        raise UnfitImageError("too little tissue")
