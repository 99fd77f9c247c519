"""Decoding image files to RGB pixels.

All images are read by `read_image`, without TensorFlow. 8-bit RGB PNG files are decoded by OpenCV, or by
`tf.io.decode_png` if TensorFlow is already loaded, which is about 20% faster for images of the size of BreakHis; RGB
and grey JPEG files by libjpeg-turbo; everything else by Pillow. All decoders return identical pixels, which is tested.
"""

from __future__ import annotations

import hashlib
import os
import sys
from typing import Any, cast

import cv2
import numpy as np

from breastcls.errors import ImageError
from breastcls.images.formats import inspect_bytes
from breastcls.images.image_files import read_bytes
from breastcls.images.image_header import MAX_PIXELS, DamagedImageError, UnsupportedImageError
from breastcls.images.jpeg_decoder import decode_jpeg
from breastcls.images.pillow_decoder import decode_with_pillow
from breastcls.images.resize import Pixels
from breastcls.images.tiff_decoder import decode_tiff
from breastcls.images.tiff_pages import TiffHeader

IMAGE_SUFFIXES = frozenset(
    (
        *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".btf", ".bmp", ".webp", ".gif"),
        *(".jp2", ".j2k", ".j2c", ".jpx", ".jpf", ".avif"),
        # These are not read, but must not be skipped in silence either.
        *(".heic", ".heif", ".jxl", ".jxr"),
    )
)
"""Suffixes of image files, in lower case."""

# For smaller files, the overhead of TensorFlow exceeds the gain.
_TENSORFLOW_FROM_BYTES = 65_536


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Read an image file as 8-bit RGB.

    The format is determined by the content, not by the suffix. Greyscale images get three equal channels, palettes and
    CMYK are converted, the upper 8 of 16 bits are kept, opaque alpha is dropped, and an EXIF rotation is applied. ICC
    profiles are not applied. What RGB cannot hold is an error: several frames or pages, transparent pixels, more
    channels, floating-point values, and 16-bit files with values of 8 to 14 bits. Of a pyramid, the largest level is
    read. The page "Image formats" of the documentation lists all kinds, and how to convert those that are not read.

    Args:
        path: A PNG, JPEG, TIFF, BigTIFF, JPEG 2000, BMP, WebP, GIF or AVIF file.
        max_pixels: Largest size in pixels, height times width. Larger sizes in a header are refused before memory is
            allocated.

    Returns:
        uint8 array of shape (height, width, 3), RGB, contiguous and writable.

    Raises:
        ImageError: If the file is missing, not a regular file, empty, of a kind that is not read, truncated or damaged.
            The message names the file, the reason and what to do.

    Example:
        >>> import cv2, numpy as np, tempfile, pathlib
        >>> folder = tempfile.TemporaryDirectory()
        >>> file = pathlib.Path(folder.name, "pink.png")
        >>> _ = cv2.imwrite(str(file), np.full((2, 3, 3), (180, 105, 255), np.uint8))
        >>> read_image(file)[0, 0].tolist()
        [255, 105, 180]
        >>> folder.cleanup()
    """
    return decode_image(read_bytes(path), path, max_pixels)


def decode_image(data: bytes, name: str | os.PathLike[str] = "image", max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode the content of an image file, as `read_image` does.

    Args:
        data: The whole content of the file.
        name: Name of the image for error messages.
        max_pixels: As in `read_image`.

    Returns:
        uint8 array of shape (height, width, 3), RGB.

    Raises:
        ImageError: As for `read_image`.
    """
    try:
        return decode_pixels(data, max_pixels)
    except DamagedImageError as error:
        raise ImageError(f"{os.fspath(name)}: {error}. Download or copy the file again, or leave it out.") from error
    except UnsupportedImageError as error:
        raise ImageError(f"{os.fspath(name)}: {error}.") from error
    except MemoryError as error:
        raise ImageError(f"{os.fspath(name)}: decoding needs more memory than is free.") from error


def decode_pixels(data: bytes, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode the content of an image file, with errors that do not name it.

    Raises:
        DamagedImageError: If it is not a complete image.
        UnsupportedImageError: If it is of a kind that is not read.
    """
    header = inspect_bytes(data, max_pixels)
    if header.simple_png:
        return _decode_png(data)
    if header.format == "jpeg":
        return decode_jpeg(data, header, max_pixels)
    if isinstance(header, TiffHeader):
        return decode_tiff(data, header)
    return decode_with_pillow(data, header, max_pixels)


def _decode_png(data: bytes) -> Pixels:
    pixels = None
    # While another thread is still importing TensorFlow, the module has no `io`.
    tensorflow = sys.modules.get("tensorflow")
    if len(data) >= _TENSORFLOW_FROM_BYTES and tensorflow is not None and hasattr(tensorflow, "io"):
        pixels = _decode_with_tensorflow(tensorflow, data)
    else:
        pixels = _decode_with_opencv(data)
    if pixels is None:
        raise DamagedImageError("damaged: the PNG data cannot be decoded")
    return pixels


def _decode_with_opencv(data: bytes) -> Pixels | None:
    try:
        return cast("Pixels | None", cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB))
    except cv2.error:
        return None


def _decode_with_tensorflow(tensorflow: Any, data: bytes) -> Pixels | None:
    try:
        with tensorflow.device("CPU:0"):
            pixels = tensorflow.io.decode_png(data, channels=3).numpy()
    except tensorflow.errors.InvalidArgumentError:
        return None
    return cast("Pixels", pixels)


def hash_array(pixels: Pixels) -> str:
    """Return the SHA-256 of an image's shape and pixels, in hexadecimal."""
    digest = hashlib.sha256("x".join(map(str, pixels.shape)).encode())
    digest.update(np.ascontiguousarray(pixels))
    return digest.hexdigest()


def is_image_name(path: str | os.PathLike[str]) -> bool:
    """Return whether a file has the suffix of an image and is not hidden (as files of macOS in archives are)."""
    name = os.path.basename(path)
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
