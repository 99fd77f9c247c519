"""Decoding TIFF files with Pillow, and their rarer compressions with tifffile."""

from __future__ import annotations

import io
import logging
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from breastcls.images.image_header import DamagedImageError, UnsupportedImageError
from breastcls.images.libtiff_errors import collect_errors
from breastcls.images.pillow_decoder import check_opaque, expand_grey, keep_upper_bits, load_image, open_image, to_rgb
from breastcls.images.resize import Pixels
from breastcls.images.tiff_pages import TiffHeader

# The error of Pillow for combinations of bits, channels and colour space that it does not decode.
_UNKNOWN_LAYOUT = "unknown pixel mode"
_NO_OUTPUT = logging.NullHandler()
_COMPARED_SIZE = (16, 16)
# Mean difference in grey levels; the levels of a pyramid differ by less than 2, other images of tissue by 20 and more.
_SAME_IMAGE = 8.0


def decode_tiff(data: bytes, header: TiffHeader) -> Pixels:
    """Decode the page `header.page` of a TIFF file.

    Raises:
        DamagedImageError: If libtiff reports an error.
        UnsupportedImageError: If a package is missing, or the content cannot be read as RGB.
    """
    pixels = _decode_page(data, header, header.page)
    for number in header.copies:
        copy = _decode_page(data, header, number)
        if np.abs(_reduce(copy) - _reduce(pixels)).mean() > _SAME_IMAGE:
            raise UnsupportedImageError(
                f"a TIFF with {len(header.copies) + 1} pages that show different images, and only one image is read "
                "from "
                "a file. Save each page as a file of its own: `for n, page in enumerate(PIL.ImageSequence.Iterator("
                'PIL.Image.open(file))): page.save(f"page{n}.png")`'
            )
    return pixels


def _reduce(pixels: Pixels) -> Any:
    return cv2.resize(pixels, _COMPARED_SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)


def _decode_page(data: bytes, header: TiffHeader, number: int) -> Pixels:
    if header.special:
        return _decode_with_tifffile(data, header, number)
    with collect_errors() as errors:
        try:
            image = open_image(data, "tiff")
        except DamagedImageError as error:
            if _UNKNOWN_LAYOUT not in str(error):
                raise
            special = f"{header.channels} channels of {header.bits} bits"
            return _decode_with_tifffile(data, replace(header, special=special), number)
        if number:
            try:
                image.seek(number)
            except Exception as error:
                raise DamagedImageError(f"damaged: page {number + 1} of the TIFF cannot be read ({error})") from error
        try:
            image = load_image(image, "tiff")
        except DamagedImageError as error:
            raise DamagedImageError(f"{error}{_list_errors(errors)}") from error
    if errors:
        raise DamagedImageError(f"damaged: libtiff reports errors in the image data{_list_errors(errors)}")
    return to_rgb(image, "tiff", header.bits)


def _list_errors(errors: list[str]) -> str:
    return f": {'; '.join(dict.fromkeys(errors))}" if errors else ""


def _decode_with_tifffile(data: bytes, header: TiffHeader, number: int) -> Pixels:
    try:
        import imagecodecs  # noqa: F401 - tifffile decodes with it
        import tifffile
    except ImportError:
        raise UnsupportedImageError(
            f'a TIFF with {header.special} needs the packages of `pip install "breastcls[tiff]"`. '
            "Install "
            "them, or save it with LZW compression or as PNG"
        ) from None
    # Without a handler, Python prints the warnings of tifffile on standard error.
    logging.getLogger("tifffile").addHandler(_NO_OUTPUT)
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page: Any = file.pages[number]
            values = page.asarray()
            planar = page.planarconfig == 2 and values.ndim == 3
    except Exception as error:
        raise DamagedImageError(f"damaged: a TIFF with {header.special} cannot be decoded ({error})") from error
    if planar:
        values = np.moveaxis(values, 0, -1)
    if values.ndim == 3 and values.shape[2] in (2, 4):
        check_opaque(values[..., -1])
        values = values[..., :-1]
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if header.inverted:
        values = (1 << header.bits) - 1 - values
    if values.dtype == np.uint16:
        values = keep_upper_bits(values, header.bits)
    elif values.dtype == np.uint8 and header.bits < 8:
        values = values * np.uint8(255 // ((1 << header.bits) - 1))
    if values.dtype != np.uint8:
        raise UnsupportedImageError(f"the TIFF has pixels of type {values.dtype}. Save it as 8-bit RGB")
    return expand_grey(values) if values.ndim == 2 else np.ascontiguousarray(values)
