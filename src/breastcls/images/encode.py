"""Encoding of images, and writing them as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy.typing as npt

from breastcls.errors import OutputError
from breastcls.files import atomic_path


def encode_image(pixels: npt.NDArray[Any], suffix: str, options: Sequence[int] = ()) -> bytes:
    """Return the content of an image file.

    Args:
        pixels: (height, width, 3), RGB, or (height, width).
        suffix: The suffix of the format, such as `.png`.
        options: Parameters of `cv2.imencode`.

    Raises:
        OutputError: If OpenCV cannot encode them.
    """
    stored = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    try:
        done, encoded = cv2.imencode(suffix, stored, list(options))
    except cv2.error:
        done = False
    if not done:
        raise OutputError(f"An image of the shape {pixels.shape} cannot be encoded as {suffix[1:].upper()}.")
    return encoded.tobytes()


def write_image(path: Path, pixels: npt.NDArray[Any], options: Sequence[int] = ()) -> Path:
    """Write an image in the format of the suffix of the path, atomically, and return the path; see `encode_image`.

    Raises:
        OutputError: If it cannot be encoded or written.
    """
    try:
        content = encode_image(pixels, path.suffix, options)
    except OutputError as error:
        raise OutputError(f"{path}: {error}") from error
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path
