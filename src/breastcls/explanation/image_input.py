"""The images to explain: a Dataset, arrays, or paths."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.errors import ExplanationError
from breastcls.images.decode import read_image
from breastcls.predictions.hidden_files import HiddenFiles
from breastcls.relative_paths import relative_paths


@dataclass(frozen=True, eq=False)
class ImageInput:
    """Images to explain, read one at a time.

    Attributes:
        paths: One per image, or None for images passed as arrays.
        arrays: The images, uint8 (h, w, 3) of any size, or None for images passed as files.
        labels: The names of the true classes, or None where they are unknown.
        classes: The class names, or None where they are unknown.
        root: The folder that `relative_paths` are relative to; the common folder of the files if None.
        hidden_files: The files of images whose paths are pseudonyms.
    """

    paths: tuple[str, ...] | None
    arrays: tuple[np.ndarray, ...] | None
    labels: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    root: str | None = None
    hidden_files: HiddenFiles = field(default_factory=HiddenFiles, repr=False)

    def __len__(self) -> int:
        return len(self.arrays if self.arrays is not None else self.paths or ())

    def read(self, number: int) -> np.ndarray:
        """Return one image at its original size, uint8 (h, w, 3), RGB.

        Raises:
            ImageError: If its file cannot be read.
        """
        if self.arrays is not None:
            return self.arrays[number]
        assert self.paths is not None, "either arrays or paths are given"
        return np.asarray(read_image(self.file_of(number)))

    def file_of(self, number: int) -> str:
        """Return the file of an image, to open it; "" for an image that was passed as an array."""
        return "" if self.paths is None else self.hidden_files.file_of(self.paths[number])

    @property
    def relative_paths(self) -> tuple[str, ...] | None:
        """The files as CSV and JSON files have them: relative to `root` or to their common folder, or None."""
        return None if self.paths is None else tuple(relative_paths(self.paths, self.root))


def open_images(images: Any) -> ImageInput:
    """Open a Dataset, an array (n, h, w, 3) or (h, w, 3), a path, or a sequence of arrays or of paths.

    Raises:
        ExplanationError: If `images` is something else, empty, or not RGB uint8.
    """
    source = _open(images)
    if len(source) == 0:
        raise ExplanationError("There are no images to explain; expected at least one.")
    return source


def _open(images: Any) -> ImageInput:
    if isinstance(images, Dataset):
        return ImageInput(
            tuple(str(path) for path in images.paths),
            None,
            labels=tuple(str(label) for label in images.table["label"]) if images.has_labels else None,
            classes=tuple(images.classes) or None,
            root=images.root,
        )
    if isinstance(images, str | os.PathLike):
        images = [images]
    if isinstance(images, np.ndarray) and images.ndim == 3:
        images = [images]
    if isinstance(images, np.ndarray):
        if images.ndim != 4:
            raise ExplanationError(f"`images` has the shape {images.shape}; expected (n, height, width, 3).")
        images = list(images)
    if not isinstance(images, Sequence):
        raise ExplanationError(
            f"`images` is a {type(images).__name__}; expected a Dataset, a uint8 array (n, height, width, 3), "
            "or a list of arrays or of paths."
        )
    if all(isinstance(item, str | os.PathLike) for item in images):
        paths = tuple(str(Path(item)) for item in images)
        return ImageInput(paths, None)
    return ImageInput(None, tuple(_check(item, number) for number, item in enumerate(images)))


def _check(image: Any, number: int) -> np.ndarray:
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ExplanationError(f"Image {number} has the shape {array.shape}; expected (height, width, 3), RGB.")
    if array.dtype != np.uint8:
        low, high = float(array.min()), float(array.max())
        raise ExplanationError(
            f"Image {number} is {array.dtype} with values {low:g} to {high:g}; expected uint8, 0..255. "
            "Convert it with `.round().astype('uint8')`, after multiplying by 255 where values are 0..1."
        )
    # A copy, because the caller may change the array later.
    return array.copy()
