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
