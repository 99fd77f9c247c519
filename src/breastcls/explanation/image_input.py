"""The images to explain: a Dataset, or images in any form that `predict` takes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.errors import ExplanationError
from breastcls.images.decode import read_image
from breastcls.predictions.given_images import open_given
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
        cases: The names of the cases, or None where they are unknown.
        magnifications: One per image, or None where they are unknown.
    """

    paths: tuple[str, ...] | None
    arrays: tuple[np.ndarray, ...] | None
    labels: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    root: str | None = None
    hidden_files: HiddenFiles = field(default_factory=HiddenFiles, repr=False)
    cases: tuple[str, ...] | None = None
    magnifications: tuple[int, ...] | None = None

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

    def part(self, start: int, stop: int) -> ImageInput:
        """Return some of the images, those from `start` to before `stop`."""
        columns = ("paths", "arrays", "labels", "cases", "magnifications")
        values = {name: getattr(self, name) for name in columns}
        parts: dict[str, Any] = {name: None if value is None else value[start:stop] for name, value in values.items()}
        return replace(self, **parts)

    def file_of(self, number: int) -> str:
        """Return the file of an image, to open it; "" for an image that was passed as an array."""
        return "" if self.paths is None else self.hidden_files.file_of(self.paths[number])

    @property
    def relative_paths(self) -> tuple[str, ...] | None:
        """The files as CSV and JSON files have them: relative to `root` or to their common folder, or None."""
        return None if self.paths is None else tuple(relative_paths(self.paths, self.root))


def open_images(images: Any) -> ImageInput:
    """Open a Dataset, or images in any other form that `breastcls.predict` takes.

    Raises:
        ExplanationError: If `images` is something else, empty, or not RGB uint8.
        ImageError: If bytes or images of Pillow cannot be decoded.
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
            cases=tuple(str(case) for case in images.table["case"]) if images.has_cases else None,
            magnifications=_magnifications(images),
        )
    given = open_given(images, ExplanationError)
    opened = list(given)
    if all(image.path for image in opened):
        return ImageInput(tuple(image.path for image in opened), None, root=given.root)
    # A copy, because the caller may change an array later.
    return ImageInput(None, tuple(image.read().copy() for image in opened), root=given.root)


def _magnifications(images: Dataset) -> tuple[int, ...] | None:
    found = images.table["magnification"]
    return None if found.isna().any() else tuple(int(magnification) for magnification in found)
