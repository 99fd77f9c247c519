"""Pictures, heat-maps and masks as `data:` addresses, which are part of the page that shows them."""

from __future__ import annotations

import cv2
import numpy as np

from breastcls.html_parts import picture_address
from breastcls.images.encode import encode_image
from breastcls.images.resize import shrink_image


def encode_photograph(image: np.ndarray, longest: int, quality: int) -> str:
    """Return an image as JPEG, reduced if its longer side has more than `longest` pixels.

    Args:
        image: uint8 (height, width, 3), RGB.
        longest: The largest longer side, in pixels.
        quality: The quality of the JPEG, 1 to 100.
    """
    return picture_address(encode_image(shrink_image(image, longest), ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality]))


def encode_grey(values: np.ndarray, longest: int) -> str:
    """Return values 0..1 as a grey PNG of 256 levels, reduced if its longer side has more than `longest` pixels."""
    grey = np.rint(np.clip(np.nan_to_num(values), 0.0, 1.0) * 255.0).astype(np.uint8)
    return picture_address(encode_image(shrink_image(grey, longest), ".png", [cv2.IMWRITE_PNG_COMPRESSION, 9]))


def encode_mask(mask: np.ndarray, longest: int) -> str:
    """Return a mask, bool (height, width), as a black and white PNG of one bit per pixel."""
    grey = shrink_image(mask.astype(np.uint8) * 255, longest)
    bits = (grey > 127).astype(np.uint8) * 255
    return picture_address(encode_image(bits, ".png", [cv2.IMWRITE_PNG_BILEVEL, 1]))
