"""Pictures, heat-maps and masks as `data:` addresses, which are part of the page that shows them."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np

from breastcls.errors import OutputError


def encode_photograph(image: np.ndarray, longest: int, quality: int) -> str:
    """Return an image as JPEG, reduced if its longer side has more than `longest` pixels.

    Args:
        image: uint8 (height, width, 3), RGB.
        longest: The largest longer side, in pixels.
        quality: The quality of the JPEG, 1 to 100.
    """
    return _encode(cv2.cvtColor(reduce(image, longest), cv2.COLOR_RGB2BGR), ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


def encode_grey(values: np.ndarray, longest: int) -> str:
    """Return values 0..1 as a grey PNG of 256 levels, reduced if its longer side has more than `longest` pixels."""
    grey = np.rint(np.clip(np.nan_to_num(values), 0.0, 1.0) * 255.0).astype(np.uint8)
    return _encode(reduce(grey, longest), ".png", [cv2.IMWRITE_PNG_COMPRESSION, 9])


def encode_mask(mask: np.ndarray, longest: int) -> str:
    """Return a mask, bool (height, width), as a black and white PNG of one bit per pixel."""
    grey = reduce(mask.astype(np.uint8) * 255, longest)
    return _encode((grey > 127).astype(np.uint8) * 255, ".png", [cv2.IMWRITE_PNG_BILEVEL, 1])


def reduce(image: np.ndarray, longest: int) -> np.ndarray:
    """Return an image whose longer side has at most `longest` pixels."""
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _encode(pixels: np.ndarray, suffix: str, options: Sequence[int]) -> str:
    done, encoded = cv2.imencode(suffix, pixels, list(options))
    if not done:
        raise OutputError(f"Cannot encode a picture of the shape {pixels.shape} as {suffix[1:].upper()}.")
    kind = "jpeg" if suffix == ".jpg" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(encoded.tobytes()).decode('ascii')}"
