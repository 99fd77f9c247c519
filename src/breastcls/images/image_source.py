"""Sources of images of one size, for the pipeline, `Dataset.to_numpy` and the Keras batches."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from breastcls.errors import ImageError
from breastcls.images.decode import decode_image
from breastcls.images.epoch_order import Rows
from breastcls.images.image_files import check_regular, missing_file_error, read_bytes
from breastcls.images.image_header import MAX_PIXELS
from breastcls.images.resize import Pixels, check_image_size, check_resize, empty_images, resize_image
from breastcls.images.threads import run_in_threads

States = npt.NDArray[np.int64]


class Normalizer(Protocol):
    """A transformation of images at their original size, before resizing, such as a stain normalizer."""

    @property
    def key(self) -> str:
        """Text that identifies the transformation: equal keys give equal results."""
        ...

    def transform(self, image: Pixels) -> Pixels:
        """Return the transformed image, uint8 of the same shape."""
        ...


@dataclass(frozen=True)
class ReadSettings:
    """How image files are converted to arrays of one size.

    Attributes:
        image_size: (height, width) in pixels.
        resize: `"stretch"`, `"crop"` or `"pad"`.
        normalizer: Applied to each decoded image before it is resized.
        max_pixels: Largest size of a file in pixels; it does not affect the prepared images.
    """

    image_size: tuple[int, int]
    resize: str = "stretch"
    normalizer: Normalizer | None = None
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_size", check_image_size(self.image_size))
        check_resize(self.resize)

    @property
    def key(self) -> str:
        """Text that identifies the settings: equal keys give equal pixels."""
        height, width = self.image_size
        stain = "none" if self.normalizer is None else self.normalizer.key
        return f"v1 {height}x{width} {self.resize} stain={stain}"

    def prepare(self, path: str, state: States) -> Pixels:
        """Read, normalise and resize one image.

        Args:
            path: The image file.
            state: The result of `file_state` when the folder was scanned.

        Returns:
            uint8 of shape (height, width, 3), RGB.

        Raises:
            ImageError: If the file cannot be read, or was changed since.
        """
        data = read_bytes(path)
        if len(data) != state[0] or not np.array_equal(file_state(path), state):
            raise ImageError(
                f"{path}: the file was changed after the folder was scanned. Scan the folder again, so that a run "
                "always reads the same images."
            )
        return self.convert(decode_image(data, path, self.max_pixels))

    def convert(self, image: Pixels) -> Pixels:
        """Normalise and resize an image, uint8 (height, width, 3) of any size."""
        if self.normalizer is not None:
            image = self.normalizer.transform(image)
        return resize_image(image, self.image_size, self.resize)


def file_state(path: str) -> States:
    """Return the size in bytes and the modification time in nanoseconds of a file, int64 of shape (2,).

    Raises:
        ImageError: If it does not exist, or is not a regular file.
    """
    state: States = file_states([path])[0]
    return state


def file_states(paths: Sequence[str]) -> States:
    """Return `file_state` of each path, int64 of shape (n, 2).

    Raises:
        ImageError: If one does not exist, or is not a regular file.
    """
    states = np.empty((len(paths), 2), np.int64)
    for row, path in enumerate(paths):
        try:
            status = os.stat(path)
        except OSError as error:
            raise missing_file_error(path, error) from error
        check_regular(path, status.st_mode)
        states[row] = status.st_size, status.st_mtime_ns
    return states


class ImageSource(Protocol):
    """Images of one size, read by position."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, 3)."""
        ...

    def __len__(self) -> int: ...

    def read(self, rows: Rows) -> Pixels:
        """Return the images at the positions `rows`, uint8 of shape (n, height, width, 3)."""
        ...


@dataclass(frozen=True)
class FileSource:
    """Images that are decoded from their files whenever they are read.

    Attributes:
        paths: Image files.
        states: The result of `file_states` when the folder was scanned.
        settings: Image size, resize mode and normalizer.
        workers: Number of threads; by default one per processor.
    """

    paths: Sequence[str]
    states: States
    settings: ReadSettings
    workers: int | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, 3)."""
        return (*self.settings.image_size, 3)

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, rows: Rows) -> Pixels:
        """Return the images at the positions `rows`, uint8 of shape (n, height, width, 3).

        Raises:
            ImageError: If a file cannot be read, or was changed after the scan.
        """
        out = empty_images(len(rows), self.shape)

        def load(position: int) -> None:
            row = int(rows[position])
            out[position] = self.settings.prepare(self.paths[row], self.states[row])

        run_in_threads(load, len(rows), self.workers)
        return out
