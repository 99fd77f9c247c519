"""Decoding image files to RGB pixels.

All images are read by `read_image`, which requires OpenCV, but not TensorFlow. If TensorFlow is already loaded, 8-bit
RGB PNG files are decoded by `tf.io.decode_png`, which is about 20% faster for images of the size of BreakHis. Both
decoders return identical pixels, which is tested.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from breastcls.errors import ImageError
from breastcls.images.formats import DamagedImageError, Header, inspect_bytes

Pixels = npt.NDArray[np.uint8]

SUPPORTED_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"))
"""Suffixes of image files, in lower case."""

_MAX_FILE_BYTES = 2**30
# For smaller files, the overhead of TensorFlow exceeds the gain.
_TENSORFLOW_FROM_BYTES = 65_536


def read_image(path: str | os.PathLike[str]) -> Pixels:
    """Read an image file as 8-bit RGB.

    The format is determined by the content, not by the suffix. Greyscale images get three equal channels, palettes and
    CMYK are converted, the upper 8 of 16 bits are kept, alpha is dropped as by Pillow's `convert("RGB")`, and an EXIF
    rotation is applied. Of a file with several pages, the first is read.

    Args:
        path: A PNG, JPEG, TIFF, BMP or WebP file.

    Returns:
        uint8 array of shape (height, width, 3), RGB, contiguous and writable.

    Raises:
        ImageError: If the file is missing, empty, not an image, truncated or damaged. The message names the file and
            the reason.

    Example:
        >>> import cv2, numpy as np, tempfile, pathlib
        >>> folder = tempfile.TemporaryDirectory()
        >>> file = pathlib.Path(folder.name, "pink.png")
        >>> _ = cv2.imwrite(str(file), np.full((2, 3, 3), (180, 105, 255), np.uint8))
        >>> read_image(file)[0, 0].tolist()
        [255, 105, 180]
        >>> folder.cleanup()
    """
    return decode_image(read_bytes(path), path)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the content of an image file.

    Raises:
        ImageError: If it is missing, not a file, not readable, or larger than 1 GiB.
    """
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > _MAX_FILE_BYTES:
                raise ImageError(
                    f"{os.fspath(path)}: {size} bytes exceed the limit of 1 GiB for an image. Cut whole slides into "
                    "patches first."
                )
            return stream.read()
    except OSError as error:
        if isinstance(error, ImageError):
            raise
        raise missing_file_error(path, error) from error


def missing_file_error(path: str | os.PathLike[str], error: OSError) -> ImageError:
    """Return an `ImageError` with the reason why the file `path` cannot be opened."""
    if isinstance(error, FileNotFoundError):
        reason = "the file does not exist. If it was removed after the folder was scanned, scan the folder again"
    elif isinstance(error, PermissionError):
        reason = "no permission to read the file. Change its permissions, or leave it out"
    elif isinstance(error, IsADirectoryError):
        reason = "this is a folder, not an image file"
    else:
        reason = f"the file cannot be read: {error.strerror or error}"
    return ImageError(f"{os.fspath(path)}: {reason}.")


def decode_image(data: bytes, name: str | os.PathLike[str] = "image") -> Pixels:
    """Decode the content of an image file, as `read_image` does.

    Args:
        data: The whole content of the file.
        name: Name of the image for error messages.

    Returns:
        uint8 array of shape (height, width, 3), RGB.

    Raises:
        ImageError: As for `read_image`.
    """
    try:
        header = inspect_bytes(data)
    except DamagedImageError as error:
        raise ImageError(f"{os.fspath(name)}: {error}.") from None
    pixels = _decode_checked(data, header)
    if pixels is None:
        raise ImageError(
            f"{os.fspath(name)}: the {header.format.upper()} data are damaged and cannot be decoded. "
            "Download or copy the file again, or leave it out."
        )
    return pixels


def _decode_checked(data: bytes, header: Header) -> Pixels | None:
    if header.simple_png and len(data) >= _TENSORFLOW_FROM_BYTES:
        tensorflow = sys.modules.get("tensorflow")
        # While another thread is still importing TensorFlow, the module has no `io`.
        if tensorflow is not None and hasattr(tensorflow, "io"):
            return _decode_with_tensorflow(tensorflow, data)
    return _decode_with_opencv(data, header)


def _decode_with_opencv(data: bytes, header: Header) -> Pixels | None:
    flags = cv2.IMREAD_COLOR
    if header.bits > 8:
        flags |= cv2.IMREAD_ANYDEPTH
    source = np.frombuffer(data, np.uint8)
    if header.alpha_tag:
        # Marking the colours as premultiplied prevents libtiff from multiplying them by alpha.
        source = source.copy()
        source[header.alpha_tag : header.alpha_tag + 2] = (0, 1) if data.startswith(b"MM") else (1, 0)
    try:
        pixels = cv2.imdecode(source, flags)
    except cv2.error:
        return None
    if pixels is None:
        return None
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.dtype != np.uint8 or pixels.ndim != 3:
        return None
    return cast("Pixels", cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels))


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


def hash_pixels(path: str | os.PathLike[str]) -> str | None:
    """Return a hash of the pixels of an image file, independent of its name, format and metadata.

    Args:
        path: An image file, read as by `read_image`.

    Returns:
        64 hexadecimal digits, or None for an image of a single colour, since such images are legitimate duplicates.

    Raises:
        ImageError: As for `read_image`.
    """
    pixels = read_image(path)
    if (pixels == pixels[0, 0]).all():
        return None
    return hash_array(pixels)


def is_image_name(path: str | os.PathLike[str]) -> bool:
    """Return whether a file has the suffix of an image and is not hidden (as files of macOS in archives are)."""
    name = Path(path).name
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUPPORTED_SUFFIXES
