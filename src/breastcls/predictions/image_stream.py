"""Batches of given images in the size, resize mode and stain that a model requires, read in several threads."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import pandas as pd

from breastcls.errors import DatasetWarning, EvaluationError, EvaluationWarning, ImageError
from breastcls.identifiers import TEXT
from breastcls.images.image_source import ReadSettings
from breastcls.images.ordered_reading import read_in_order
from breastcls.images.progress_bar import progress_bar
from breastcls.images.resize import Pixels, empty_images
from breastcls.predictions.given_images import GivenImage, GivenImages
from breastcls.text_tables import choose_form, format_count

ON_ERROR = ("raise", "skip")
# Batches that are read while the model computes.
_BATCHES_AHEAD = 2
_MOST_NAMED = 10
# After the first image that cannot be read, so many more are read, so that one error names all of them.
_MOST_CHECKED = 10_000


@dataclass(frozen=True)
class SkippedImage:
    """An image that cannot be read.

    Attributes:
        position: Its position among the given images, from 0.
        path: Its file, or its position and kind.
        reason: Why it cannot be read, and what to do.
    """

    position: int
    path: str
    reason: str


class NoImageLeftError(EvaluationError):
    """No image can be read, and all were to be skipped.

    Args:
        skipped: The images.
    """

    def __init__(self, skipped: Sequence[SkippedImage]) -> None:
        super().__init__(f"No image is left. {describe_skipped_images(skipped)}")
        self.skipped = tuple(skipped)


class ImageStream:
    """One pass over given images as batches, with a record of what was read.

    Args:
        images: The images.
        settings: Size, resize mode and normalizer.
        batch_size: Images per batch; images that are skipped leave no gap.
        on_error: "raise", or "skip" to leave out images that cannot be read.
        progress: Whether to show a progress bar, by default if standard error is a terminal; or a function that is
            called after each image.

    Attributes:
        paths: The file of each image of the batches so far; "" for an image without one.
        positions: The position of each among the given images.
        skipped: The images that cannot be read.
        sizes: The own (height, width) of each image of the batches so far.
    """

    def __init__(
        self,
        images: GivenImages,
        settings: ReadSettings,
        batch_size: int,
        on_error: str = "raise",
        progress: bool | Callable[[], None] | None = None,
    ) -> None:
        self._images, self._settings, self._batch_size = images, settings, batch_size
        self._skip, self._progress = on_error == "skip", progress
        self.paths: list[str] = []
        self.positions: list[int] = []
        self.skipped: list[SkippedImage] = []
        self.sizes: list[tuple[int, int]] = []

    def __iter__(self) -> Iterator[Pixels]:
        """Yield batches uint8 (b, height, width, 3).

        Raises:
            ImageError: If images cannot be read and are not to be skipped; the message names up to ten of them.
            EvaluationError: If there are no images, or none can be read.

        Warns:
            DatasetWarning: If images are skipped.
            EvaluationWarning: If the stain of images could not be normalised.
        """
        batch, filled, checked = self._empty(), 0, 0
        found = read_in_order(self._images, self._read, ahead=_BATCHES_AHEAD * self._batch_size)
        with self._show_progress() as advance:
            for position, (image, read) in enumerate(found):
                advance()
                if isinstance(read, ImageError):
                    self.skipped.append(SkippedImage(position, image.name, _reason(read, image.name)))
                elif self.skipped and not self._skip:
                    checked += 1
                else:
                    batch[filled] = read[0]
                    filled += 1
                    self.sizes.append(read[1])
                    self.paths.append(image.path)
                    self.positions.append(position)
                if filled == self._batch_size:
                    yield batch
                    batch, filled = self._empty(), 0
                if self.skipped and not self._skip and (checked >= _MOST_CHECKED or self._images.count is None):
                    break
        self._report()
        if filled:
            yield batch[:filled]

    def skipped_table(self) -> pd.DataFrame | None:
        """Return the images that were skipped, with the columns `path` and `reason`; None if there are none."""
        if not self.skipped:
            return None
        return pd.DataFrame(
            {"path": [one.path for one in self.skipped], "reason": [one.reason for one in self.skipped]}, dtype=TEXT
        )

    def _show_progress(self) -> AbstractContextManager[Callable[[], None]]:
        if callable(self._progress):
            return nullcontext(self._progress)
        return progress_bar("Predicting images", self._images.count, self._progress)

    def _read(self, image: GivenImage) -> tuple[Pixels, tuple[int, int]]:
        pixels = image.read()
        return self._settings.convert(pixels), (pixels.shape[0], pixels.shape[1])

    def _empty(self) -> Pixels:
        return empty_images(self._batch_size, (*self._settings.image_size, 3))

    def _report(self) -> None:
        """Raise the error or issue the warnings that follow from what was read."""
        total = len(self.positions) + len(self.skipped)
        if total == 0:
            raise EvaluationError("There are no images, so there is nothing to predict.")
        if self.skipped and not self._skip:
            raise ImageError(describe_skipped_images(self.skipped))
        if not self.positions:
            raise NoImageLeftError(self.skipped)
        if self.skipped:
            warnings.warn(
                f"{format_count(len(self.skipped), 'image')} of {total} cannot be read and "
                f"{choose_form(len(self.skipped), 'was', 'were')} left out; `skipped` of the predictions lists the "
                f"reasons. First: {self.skipped[0].path}: {self.skipped[0].reason}",
                DatasetWarning,
                stacklevel=2,
            )
        normalizer = self._settings.normalizer
        fallbacks = getattr(normalizer, "fallbacks", None)
        if fallbacks is not None and fallbacks.total:
            name = getattr(normalizer, "name", type(normalizer).__name__)
            warnings.warn(f"Stain normalizer {name}: {fallbacks}.", EvaluationWarning, stacklevel=2)


def describe_skipped_images(skipped: Sequence[SkippedImage]) -> str:
    """Return a message that names images that cannot be read, at most ten, each with the reason.

    Example:
        >>> print(describe_skipped_images([SkippedImage(0, "a.png", "the file is empty.")]))
        a.png: the file is empty.
    """
    named = [f"{one.path}: {one.reason}" for one in skipped]
    if len(named) == 1:
        return named[0]
    more = f"\n... and {len(named) - _MOST_NAMED} more." if len(named) > _MOST_NAMED else ""
    return f"{format_count(len(named), 'image')} cannot be read:\n" + "\n".join(named[:_MOST_NAMED]) + more


def _reason(error: ImageError, name: str) -> str:
    return str(error).removeprefix(f"{name}: ")
