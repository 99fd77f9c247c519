"""From a dataset to pixels: arrays, batches for TensorFlow, batches for any backend, a contact sheet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from breastcls.errors import DatasetError

if TYPE_CHECKING:
    from breastcls.datasets.dataset import Dataset


def read_arrays(data: Dataset, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Read every image; see `Dataset.to_numpy`."""
    from breastcls.images.pipeline import read_batch

    return read_batch(data.paths, **options), data.labels


def make_tf(data: Dataset, **options: Any) -> Any:
    """Make a `tf.data.Dataset`; see `Dataset.to_tf`."""
    from breastcls.images.pipeline import make_pipeline

    return make_pipeline(data.paths, data.labels, **_completed(data, options))


def make_keras(data: Dataset, **options: Any) -> Any:
    """Make a `keras.utils.PyDataset`; see `Dataset.to_keras`."""
    from breastcls.images.batches import ImageBatches

    return ImageBatches(data.paths, data.labels, **_completed(data, options))


def preview(
    data: Dataset,
    policy: str,
    path: str | os.PathLike[str],
    *,
    image_size: int | tuple[int, int] = 160,
    images: int = 6,
    columns: int = 7,
    seed: int = 0,
) -> Path:
    """Save a contact sheet: some images of a dataset, each as it is and then as an augmentation policy changes it.

    Args:
        data: Where the images come from; they are spread evenly over its rows.
        policy: Name of the policy, such as "standard".
        path: The PNG file to write.
        image_size: (height, width) of each picture, or one number.
        images: Number of images, one a row of the sheet, 1 to 64.
        columns: Changed versions of each.
        seed: The same seed gives the same sheet.

    Returns:
        The path.

    Raises:
        DatasetError: If the dataset has no images or `images` is not 1 to 64.
        RegistryError: If there is no such policy.
        OutputError: If the file cannot be written.

    Example:
        >>> preview(data, "standard", "standard.png")  # doctest: +SKIP
    """
    from breastcls.augmentation.contact_sheet import save_contact_sheet

    if not 1 <= images <= 64 or len(data) == 0:
        raise DatasetError(f"images must be 1 to 64 and the dataset hold some; found {images} and {len(data)}.")
    rows = np.unique(np.linspace(0, len(data) - 1, images).round().astype(int))
    pictures, _ = data[rows].to_numpy(image_size)
    return save_contact_sheet(pictures, policy, path, columns=columns, seed=seed)


def _completed(data: Dataset, options: dict[str, Any]) -> dict[str, Any]:
    """Add what the dataset knows and the caller need not say."""
    options.setdefault("class_count", len(data.classes))
    if options.get("sampling") == "case-balanced":
        options.setdefault("cases", data.cases.tolist())
    return options
