"""Images in whatever form they are given: files, folders, bytes, images of Pillow, arrays, or any sequence of these."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from breastcls.errors import BreastclsError, EvaluationError
from breastcls.images.array_pixels import check_pixels, pillow_pixels
from breastcls.images.decode import decode_image, read_image
from breastcls.images.resize import Pixels
from breastcls.predictions.given_paths import check_name, find_files, is_folder

Encoded = (bytes, bytearray, memoryview)
_TABLES = (pd.Series, pd.Index, pd.DataFrame)


@dataclass(frozen=True, eq=False)
class GivenImage:
    """One image that is read when it is needed.

    Attributes:
        content: A path, the bytes of an encoded image, an image of Pillow, or pixels uint8 (height, width, 3).
        name: What it is, for messages: its path, or its position and kind.
        path: Its file; "" for an image without one.
    """

    content: Any
    name: str
    path: str = ""

    def read(self) -> Pixels:
        """Return the image at its own size, uint8 (height, width, 3), RGB.

        Raises:
            ImageError: If it cannot be read or decoded.
        """
        if self.path:
            return read_image(self.path)
        if isinstance(self.content, bytes):
            return decode_image(self.content, self.name)
        if isinstance(self.content, np.ndarray):
            return np.ascontiguousarray(self.content)
        return pillow_pixels(self.content, self.name)


@dataclass(frozen=True, eq=False)
class GivenImages:
    """Images in order, one iteration over them; a generator is consumed as far as it is iterated.

    Attributes:
        images: The images.
        count: Their number; None where it is not known before the last one.
        root: The folder that was given, if any.
        array: The images where they were given as one array uint8 (n, height, width, 3), else None.
    """

    images: Iterable[GivenImage]
    count: int | None = None
    root: str | None = None
    array: Pixels | None = None

    def __iter__(self) -> Iterator[GivenImage]:
        return iter(self.images)


def open_given(values: Any, error: type[BreastclsError] = EvaluationError) -> GivenImages:
    """Return the images that a caller gave in any form.

    Args:
        values: A path of a file or a folder, the bytes of one encoded image or a binary file that is open, an image of
            Pillow, an array uint8 (height, width, 3) or (n, height, width, 3) or a tensor that converts to one, or a
            sequence or an iterator of any of these, nested or not.
        error: The exception to raise.

    Raises:
        error: If it is something else, there is no image, or an array has another type or shape.

    Example:
        >>> images = open_given([np.zeros((4, 6, 3), np.uint8), np.zeros((2, 8, 8, 3), np.uint8)])
        >>> [(image.name, image.read().shape) for image in images]
        [('image 0 (array)', (4, 6, 3)), ('image 1 (array)', (8, 8, 3)), ('image 2 (array)', (8, 8, 3))]
    """
    if isinstance(values, str | os.PathLike):
        files, root = find_files(values, error)
        return GivenImages([GivenImage(path, path, path) for path in files], len(files), root)
    if _is_array(values):
        array = check_pixels(values, "The array" if np.ndim(values) != 3 else "The image", error)
        array = array if array.ndim == 4 else array[np.newaxis]
        images = (GivenImage(image, f"image {number} (array)") for number, image in enumerate(array))
        return GivenImages(images, len(array), array=array)
    if _is_single(values):
        return GivenImages(list(_expand([values], error)), 1)
    if isinstance(values, Mapping | pd.DataFrame) or not isinstance(values, Iterable):
        raise error(f"{_describe(values)}; expected {EXPECTED}")
    if isinstance(values, Sized) and len(values) == 0:
        raise error("There are no images: the sequence is empty.")
    # Of a sequence that holds single images only, the number is known before they are read.
    single = isinstance(values, Sequence | np.ndarray | pd.Series) and all(_is_one_image(item) for item in values)
    return GivenImages(_expand(values, error), len(values) if single else None)  # type: ignore[arg-type]


EXPECTED = (
    "a path of an image or a folder, the bytes of an image, an image of Pillow, an array uint8 (height, width, 3) or "
    "(n, height, width, 3), a Dataset, or a list or an iterator of these."
)


def _expand(values: Iterable[Any], error: type[BreastclsError]) -> Iterator[GivenImage]:
    """Yield the single images of a sequence whose items may be folders, batches or sequences themselves."""
    number = 0
    for value in _leaves(values, error):
        if isinstance(value, str | os.PathLike):
            files = find_files(value, error)[0] if is_folder(value) else [check_name(value, error)]
            for path in files:
                yield GivenImage(path, path, path)
            number += len(files)
        elif _is_array(value):
            pixels = check_pixels(value, f"Image {number}", error)
            for one in pixels if pixels.ndim == 4 else [pixels]:
                yield GivenImage(one, f"image {number} (array)")
                number += 1
        elif isinstance(value, Encoded) or hasattr(value, "read"):
            yield GivenImage(_read_encoded(value, number, error), f"image {number} (bytes)")
            number += 1
        else:
            yield GivenImage(value, f"image {number} (Pillow)")
            number += 1


def _leaves(values: Iterable[Any], error: type[BreastclsError]) -> Iterator[Any]:
    for position, value in enumerate(values):
        if isinstance(value, str | os.PathLike) or _is_array(value) or _is_single(value):
            yield value
        elif isinstance(value, Iterable) and not isinstance(value, Mapping | pd.DataFrame):
            yield from _leaves(value, error)
        else:
            raise error(f"Item {position} of the images: {_describe(value)}; expected {EXPECTED}")


def _is_array(value: Any) -> bool:
    """Return whether a value is an array of numbers, or a tensor that converts to one."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind not in "OUS" or value.ndim > 1
    return hasattr(value, "__array__") and not isinstance(value, _TABLES) and not _is_pillow(value)


def _is_single(value: Any) -> bool:
    return isinstance(value, Encoded) or hasattr(value, "read") or _is_pillow(value)


def _is_one_image(value: Any) -> bool:
    if isinstance(value, str | os.PathLike):
        return not is_folder(value)
    return _is_single(value) or (_is_array(value) and len(value.shape) == 3)


def _is_pillow(value: Any) -> bool:
    # Whoever gives an image of Pillow has loaded it.
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def _read_encoded(value: Any, number: int, error: type[BreastclsError]) -> bytes:
    if isinstance(value, Encoded):
        return bytes(value)
    content = value.read()
    if not isinstance(content, Encoded):
        raise error(
            f"Image {number}: {type(value).__name__} gives {type(content).__name__}, not bytes; open the file with "
            'mode "rb".'
        )
    return bytes(content)


def _describe(value: Any) -> str:
    if isinstance(value, pd.DataFrame):
        return 'This is a table: give its column of files, `table["path"]`, or a Dataset (see `breastcls.load_table`)'
    if isinstance(value, io.TextIOBase):
        return 'This is a text file: open it with mode "rb"'
    return f"The images are of the type {type(value).__name__}"
