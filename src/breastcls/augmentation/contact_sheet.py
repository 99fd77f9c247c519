"""A contact sheet of augmented images, for the inspection of a policy before training."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from breastcls.augmentation.policy import Policy
from breastcls.augmentation.policy_registry import find_policy
from breastcls.errors import OutputError
from breastcls.images.encode import write_image
from breastcls.images.resize import Pixels

_GAP = 4
_MAX_ROWS = 64


def augment_images(images: Pixels, policy: str | Policy, *, seed: int = 0) -> Pixels:
    """Augment a batch of images once.

    Args:
        images: uint8 of shape (n, height, width, 3).
        policy: Name of a policy, or a `Policy`.
        seed: The same seed gives the same images.

    Returns:
        uint8 of the same shape.

    Raises:
        RegistryError: If no policy has that name.

    Example:
        >>> images = np.zeros((2, 8, 8, 3), np.uint8)
        >>> augment_images(images, "dihedral", seed=7).shape
        (2, 8, 8, 3)
    """
    import tensorflow as tf

    key = tf.constant([seed, 0], tf.int64)
    labels = tf.zeros(len(images), tf.int64)
    with tf.device("CPU:0"):
        out, _ = find_policy(policy)(tf.constant(images), labels, key, class_count=1)
    return np.asarray(out)


def draw_contact_sheet(images: Pixels, policy: str | Policy, *, columns: int = 7, seed: int = 0) -> Pixels:
    """Return a sheet with one row per image: the original, then augmented versions.

    Args:
        images: uint8 of shape (n, height, width, 3), 1 to 64 images.
        policy: Name of a policy, or a `Policy`.
        columns: Number of augmented versions of each image.
        seed: The same seed gives the same sheet.

    Returns:
        uint8 of shape (sheet height, sheet width, 3).

    Raises:
        ValueError: If there are no images or more than 64.
    """
    if images.ndim != 4 or not 0 < len(images) <= _MAX_ROWS:
        raise ValueError(
            f"images has the shape {images.shape}; expected 1 to {_MAX_ROWS} images (n, height, width, 3)."
        )
    versions = [images] + [augment_images(images, policy, seed=seed * 1000 + number) for number in range(columns)]
    count, height, width, _ = images.shape
    sheet = np.full((count * (height + _GAP) - _GAP, len(versions) * (width + _GAP) - _GAP, 3), 255, np.uint8)
    for column, batch in enumerate(versions):
        for row, image in enumerate(batch):
            top, left = row * (height + _GAP), column * (width + _GAP)
            sheet[top : top + height, left : left + width] = image
    return sheet


def save_contact_sheet(
    images: Pixels,
    policy: str | Policy,
    path: str | os.PathLike[str],
    *,
    columns: int = 7,
    seed: int = 0,
) -> Path:
    """Save a contact sheet as PNG: one row per image, with the original and augmented versions.

    Args:
        images: uint8 of shape (n, height, width, 3), 1 to 64 images.
        policy: Name of a policy, or a `Policy`.
        path: The PNG file.
        columns: Number of augmented versions of each image.
        seed: The same seed gives the same sheet.

    Returns:
        The path of the file.

    Raises:
        OutputError: If the file cannot be written, or the path does not end in `.png`.
        ValueError: If there are no images or more than 64.
    """
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise OutputError(f"Cannot write {target}: a contact sheet is a PNG file, so that the path must end in .png.")
    return write_image(target, draw_contact_sheet(images, policy, columns=columns, seed=seed))
