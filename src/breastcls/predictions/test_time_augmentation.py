"""Test-time augmentation by dihedral transforms, since histology images have no preferred orientation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.argument_checks import check_choice
from breastcls.errors import EvaluationError

TTA = ("dihedral",)
"""The kinds of test-time augmentation."""

Transform = tuple[int, bool]
"""Number of rotations by 90 degrees anticlockwise, and whether the image is flipped left to right before."""


def check_tta(tta: str | None) -> None:
    """Check the kind of test-time augmentation.

    Raises:
        EvaluationError: If it is neither in `TTA` nor None.
    """
    check_choice("tta", tta, (None, *TTA), error=EvaluationError)


def list_transforms(tta: str | None, image_size: tuple[int, int] | None) -> tuple[Transform, ...]:
    """Return the transforms that are applied to images of a size, the identity first.

    Args:
        tta: `"dihedral"`: the eight symmetries of the square, four rotations with and without a flip; for images that
            are not square the four of them that keep the shape (identity, rotation by 180 degrees, and both flips).
            None: the identity alone.
        image_size: (height, width); None for vectors, which have no transforms.

    Raises:
        EvaluationError: If `tta` is something else.

    Example:
        >>> [len(list_transforms("dihedral", size)) for size in ((224, 224), (224, 320))]
        [8, 4]
    """
    check_tta(tta)
    if tta is None:
        return ((0, False),)
    if image_size is None:
        raise EvaluationError(f"`tta` is {tta!r}, but the model takes vectors, which cannot be rotated. Leave it out.")
    rotations = (0, 1, 2, 3) if image_size[0] == image_size[1] else (0, 2)
    return tuple((rotation, flipped) for flipped in (False, True) for rotation in rotations)


def transform_images(images: npt.NDArray[Any], transform: Transform) -> npt.NDArray[Any]:
    """Return images (n, height, width, channels) after one transform."""
    rotations, flipped = transform
    return np.ascontiguousarray(np.rot90(images[:, :, ::-1] if flipped else images, rotations, axes=(1, 2)))


def transform_batches(batches: Iterable[Any], transforms: tuple[Transform, ...]) -> Iterator[Any]:
    """Yield each batch after each transform: all transforms of a batch before the next batch."""
    for batch in batches:
        if len(transforms) == 1:
            yield batch
            continue
        pixels = np.asarray(keras.ops.convert_to_numpy(batch))
        for transform in transforms:
            yield transform_images(pixels, transform)
