"""A contact sheet that shows what an augmentation policy does to images of a dataset."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from breastcls.augmentation.contact_sheet import save_contact_sheet
from breastcls.augmentation.policy import Policy
from breastcls.datasets.dataset import Dataset
from breastcls.errors import DatasetError


def preview(
    data: Dataset,
    policy: str | Policy,
    path: str | os.PathLike[str],
    *,
    image_size: int | tuple[int, int] = 160,
    images: int = 6,
    columns: int = 7,
    seed: int = 0,
) -> Path:
    """Save a contact sheet: some images of a dataset, each unchanged and then augmented several times.

    Args:
        data: The dataset; images are taken at regular intervals of its rows.
        policy: Name of an augmentation policy, such as "standard", or a `Policy`.
        path: The PNG file to write.
        image_size: (height, width) of each image on the sheet in pixels, or one number for both.
        images: Number of images, one per row of the sheet, 1 to 64.
        columns: Number of augmented versions of each image.
        seed: The same seed gives the same sheet.

    Returns:
        The path.

    Raises:
        DatasetError: If the dataset is empty or `images` is not 1 to 64.
        RegistryError: If no policy has that name.
        OutputError: If the file cannot be written.

    Example:
        >>> preview(data, "standard", "standard.png")  # doctest: +SKIP
    """
    if not 1 <= images <= 64 or len(data) == 0:
        raise DatasetError(f"images must be 1 to 64, of a dataset that is not empty; found {images} of {len(data)}.")
    rows = np.unique(np.linspace(0, len(data) - 1, images).round().astype(int))
    pixels, _ = data[rows].to_numpy(image_size)
    return save_contact_sheet(pixels, policy, path, columns=columns, seed=seed)
