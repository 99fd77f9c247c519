"""Resizing images: by stretching, cropping or padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, cast, get_args

import cv2
import numpy as np
import numpy.typing as npt

from breastcls.argument_checks import check_choice

Pixels = npt.NDArray[np.uint8]
Resize = Literal["stretch", "crop", "pad"]

_WHITE = 255


def resize_image(image: Pixels, image_size: int | Sequence[int], resize: str = "stretch") -> Pixels:
    """Resize an image, or a batch of images of one size.

    Downscaling averages over the area of each new pixel, which avoids aliasing; upscaling is bilinear.

    Args:
        image: uint8, (height, width, channels) or (n, height, width, channels).
        image_size: (height, width) of the result in pixels, or one number for a square.
        resize: `"stretch"` scales the whole image and changes the aspect ratio; `"crop"` keeps the aspect ratio and
            crops the image to its centre; `"pad"` keeps the aspect ratio and the whole image, and pads it with white,
            the colour of the background of slides.

    Returns:
        uint8 array with the same number of axes. It is `image` itself if it already has the size.

    Raises:
        ValueError: If `image_size` or `resize` is invalid, or `image` has another shape.

    Example:
        >>> import numpy as np
        >>> resize_image(np.zeros((460, 700, 3), np.uint8), (224, 224), "pad").shape
        (224, 224, 3)
    """
    height, width = check_image_size(image_size)
    check_resize(resize)
    if image.ndim == 4:
        if image.shape[1:3] == (height, width):
            return image
        out = np.empty((len(image), height, width, image.shape[3]), np.uint8)
        for position, one in enumerate(image):
            out[position] = _resize_one(one, height, width, resize)
        return out
    if image.ndim != 3:
        raise ValueError(f"image has the shape {image.shape}; expected (height, width, 3) or (n, height, width, 3).")
    return _resize_one(image, height, width, resize)


def shrink_image(image: Pixels, longest: int) -> Pixels:
    """Return an image, (height, width) or (height, width, 3), whose longer side has at most `longest` pixels."""
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def check_image_size(image_size: object, error: type[ValueError] = ValueError) -> tuple[int, int]:
    """Return an image size as (height, width).

    Args:
        image_size: (height, width) in pixels, or one number for a square.
        error: The exception to raise.

    Raises:
        ValueError: Or the `error` given, if it is not one or two positive whole numbers.

    Example:
        >>> check_image_size(224), check_image_size((460, 700))
        ((224, 224), (460, 700))
    """
    pair: tuple[Any, ...] = (image_size, image_size)
    if isinstance(image_size, Iterable) and not isinstance(image_size, str):
        pair = tuple(image_size)
    # bool is an int in Python and NumPy integers are not, so the value itself is asked for an integer.
    if len(pair) == 2 and not any(isinstance(side, bool) or not hasattr(side, "__index__") for side in pair):
        height, width = (side.__index__() for side in pair)
        if height > 0 and width > 0:
            return height, width
    raise error(f"image_size is {image_size!r}; expected (height, width) in pixels, or one number for a square.")


def check_resize(resize: str) -> Resize:
    """Return `resize` if it is a resize mode.

    Raises:
        ValueError: If it is not.
    """
    check_choice("resize", resize, get_args(Resize), error=ValueError)
    return cast("Resize", resize)


def empty_images(count: int, shape: tuple[int, int, int]) -> Pixels:
    """Return an uninitialised array for `count` images, uint8 of shape (count, *shape).

    It is aligned to 64 bytes, so that TensorFlow can use it as a tensor without a copy, which would take as long as
    reading the images.
    """
    size = count * int(np.prod(shape))
    buffer = np.empty(size + 63, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].reshape(count, *shape)


def _resize_one(image: Pixels, height: int, width: int, resize: str) -> Pixels:
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return image
    if resize == "crop":
        # Cropping before scaling gives the same result and scales fewer pixels.
        scale = max(height / rows, width / columns)
        keep_rows = min(rows, max(1, round(height / scale)))
        keep_columns = min(columns, max(1, round(width / scale)))
        top, left = (rows - keep_rows) // 2, (columns - keep_columns) // 2
        return _scale(image[top : top + keep_rows, left : left + keep_columns], height, width)
    if resize == "pad":
        scale = min(height / rows, width / columns)
        inner_height = min(height, max(1, round(rows * scale)))
        inner_width = min(width, max(1, round(columns * scale)))
        top, left = (height - inner_height) // 2, (width - inner_width) // 2
        out = np.full((height, width, image.shape[2]), _WHITE, np.uint8)
        out[top : top + inner_height, left : left + inner_width] = _scale(image, inner_height, inner_width)
        return out
    return _scale(image, height, width)


def _scale(image: Pixels, height: int, width: int) -> Pixels:
    rows, columns = image.shape[:2]
    # OpenCV averages over areas only if neither side is enlarged, so that downscaling comes first.
    smaller = (min(rows, height), min(columns, width))
    if smaller != (rows, columns):
        image = _resize(image, smaller, cv2.INTER_AREA)
    if smaller != (height, width):
        image = _resize(image, (height, width), cv2.INTER_LINEAR)
    return image


def _resize(image: Pixels, size: tuple[int, int], interpolation: int) -> Pixels:
    scaled = cv2.resize(image, size[::-1], interpolation=interpolation)
    return cast("Pixels", scaled.reshape(*size, image.shape[2]))
