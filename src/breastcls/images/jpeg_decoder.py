"""Decoding JPEG files with libjpeg-turbo, whose warnings of corrupt data are errors here."""

from __future__ import annotations

from typing import cast

import numpy as np

from breastcls.images.image_header import DamagedImageError, Header, UnsupportedImageError
from breastcls.images.pillow_decoder import decode_with_pillow, open_image
from breastcls.images.resize import Pixels

_ORIENTATION = 0x112


def decode_jpeg(data: bytes, header: Header, max_pixels: int) -> Pixels:
    """Decode a JPEG file, and apply an EXIF rotation.

    Raises:
        DamagedImageError: If libjpeg reports an error or a warning.
        UnsupportedImageError: If it has two or more than four channels.
    """
    if header.channels == 4:
        return decode_with_pillow(data, header, max_pixels)
    if header.channels not in (1, 3):
        raise UnsupportedImageError(f"a JPEG with {header.channels} channels, and RGB has three. Save it as RGB")
    import simplejpeg

    try:
        pixels = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except ValueError as error:
        raise DamagedImageError(f"damaged: the JPEG data cannot be decoded ({error})") from error
    return _rotate(pixels, data) if header.rotation else cast("Pixels", pixels)


def _rotate(pixels: Pixels, data: bytes) -> Pixels:
    orientation = open_image(data, "jpeg").getexif().get(_ORIENTATION, 1)
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
