"""Views of an image for test-time augmentation: tissue has no up and no left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.errors import EvaluationError

TTA = ("dihedral",)
"""What test-time augmentation knows."""

View = tuple[int, bool]
"""Quarter turns anticlockwise, and whether the image is flipped left to right before."""


def list_views(tta: str | None, image_size: tuple[int, int]) -> tuple[View, ...]:
    """Return the views of an image of a size, the image itself first.

    Args:
        tta: `"dihedral"`: the eight ways in which a square can lie, that is, four turns with and without a flip; for
            images that are not square the four of them that keep the shape (the image, turned by 180 degrees, and both
            flips). None: the image alone.
        image_size: (height, width).

    Raises:
        EvaluationError: If `tta` is something else.

    Example:
        >>> [len(list_views("dihedral", size)) for size in ((224, 224), (224, 320))]
        [8, 4]
    """
    if tta is None:
        return ((0, False),)
    if tta not in TTA:
        raise EvaluationError(f"`tta` is {tta!r}; expected {', '.join(map(repr, TTA))} or None.")
    turns = (0, 1, 2, 3) if image_size[0] == image_size[1] else (0, 2)
    return tuple((turn, flipped) for flipped in (False, True) for turn in turns)


def see(images: npt.NDArray[Any], view: View) -> npt.NDArray[Any]:
    """Return images (n, height, width, channels) in one view."""
    turns, flipped = view
    return np.ascontiguousarray(np.rot90(images[:, :, ::-1] if flipped else images, turns, axes=(1, 2)))


def see_all(batches: Iterable[Any], views: tuple[View, ...]) -> Iterator[Any]:
    """Yield each batch in each view, all views of a batch before the next batch."""
    for batch in batches:
        if len(views) == 1:
            yield batch
            continue
        pixels = np.asarray(keras.ops.convert_to_numpy(batch))
        for view in views:
            yield see(pixels, view)
