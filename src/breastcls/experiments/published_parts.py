"""The published folds of BreakHis at each magnification, cut from the images that are there, and what is missing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from breastcls.datasets.breakhis import parse_breakhis_name
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.published_folds import list_folds, read_fold
from breastcls.errors import TrainingError
from breastcls.text_tables import choose_form, format_count

FoldFiles = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
SHOWN_NAMES = 3


@dataclass(frozen=True)
class PublishedPart:
    """One published fold at one magnification.

    Args:
        magnification: 40, 100, 200 or 400.
        fold: Number of the fold, from 1 on.
        train: Its training images.
        test: Its test images.
    """

    magnification: int
    fold: int
    train: Dataset
    test: Dataset

    @property
    def title(self) -> str:
        """How messages name it."""
        return f"{self.magnification}X, fold {self.fold}"

    @property
    def has_training_case(self) -> npt.NDArray[np.bool_]:
        """Bool (n test images,): whether the case of the image is in training too."""
        return np.isin(self.test.cases.astype(str), np.unique(self.train.cases.astype(str)))

    def train_without_test_cases(self) -> Dataset:
        """Return the training images whose case is not in the test part."""
        return self.train[~np.isin(self.train.cases.astype(str), np.unique(self.test.cases.astype(str)))]


def read_folds(fold_files: FoldFiles) -> dict[int, dict[str, str]]:
    """Return by fold number which file name is "train" and which "test".

    Raises:
        SplitError: If a file cannot be read or has another form.
        TrainingError: If there is none, or two files hold the same fold.
    """
    if isinstance(fold_files, (str, os.PathLike)):
        folder = Path(fold_files)
        files = sorted(folder.glob("dsfold*.txt")) if folder.is_dir() else [folder]
    else:
        files = [Path(file) for file in fold_files]
    folds: dict[int, dict[str, str]] = {}
    for file in files:
        for fold in list_folds(file):
            if fold in folds:
                raise TrainingError(f"fold_files: {file} holds fold {fold}, and so does a file before it.")
            folds[fold] = read_fold(file, fold)
    if not folds:
        raise TrainingError(f"There is no fold file in {fold_files}: expected dsfold1.txt and so on, or Folds.csv.")
    return dict(sorted(folds.items()))


def check_magnifications(data: Dataset, magnifications: Sequence[int] | None) -> tuple[int, ...]:
    """Return the magnifications to evaluate, in ascending order.

    Raises:
        TrainingError: If the magnification of an image is missing, or the data has no image of a requested one.
    """
    column = data.table["magnification"]
    if column.isna().any():
        raise TrainingError(
            f"The magnification of {int(column.isna().sum())} of {format_count(len(data), 'image')} is not known; the "
            "protocol takes one at a time. `load_breakhis` reads it from the file names."
        )
    there = sorted(int(value) for value in column.unique())
    wanted = there if magnifications is None else sorted({int(value) for value in magnifications})
    absent = [value for value in wanted if value not in there]
    if absent or not wanted:
        raise TrainingError(f"magnifications is {magnifications!r}, but the data holds {there}.")
    return tuple(wanted)


def cut_parts(
    data: Dataset, folds: Mapping[int, Mapping[str, str]], magnifications: Sequence[int]
) -> tuple[list[PublishedPart], list[str]]:
    """Return the folds at each magnification, and sentences on what is missing."""
    names, of_image = image_names(data), data.table["magnification"].to_numpy(dtype=np.int64)
    listed: dict[int, set[str]] = {}
    for name in sorted(set().union(*folds.values())):
        parsed = parse_breakhis_name(name)
        listed.setdefault(-1 if parsed is None else parsed.magnification, set()).add(name)
    missing = [
        f"{magnification}X: no image is there, of {len(listed[magnification])} listed."
        for magnification in sorted(listed)
        if magnification > 0 and magnification not in of_image
    ]
    parts = []
    for magnification in magnifications:
        here = of_image == magnification
        absent = sorted(listed.get(magnification, set()) - set(names[here]))
        if absent:
            first = ", ".join(absent[:SHOWN_NAMES])
            missing.append(
                f"{magnification}X: {len(absent)} of {len(listed[magnification])} listed images are not there, such as "
                f"{first}."
            )
        unlisted = int(here.sum()) - int(np.isin(names[here], list(listed.get(magnification, ()))).sum())
        if unlisted:
            missing.append(
                f"{magnification}X: {format_count(unlisted, 'image')} {choose_form(unlisted, 'is', 'are')} left out, "
                "in no fold file."
            )
        for fold, groups in folds.items():
            group = np.array([groups.get(name, "") for name in names])
            train, test = data[here & (group == "train")], data[here & (group == "test")]
            part = PublishedPart(magnification, fold, train, test)
            if len(test) == 0:
                missing.append(f"{part.title}: no test image; left out.")
                continue
            if lacking := absent_classes(test):
                missing.append(f"{part.title}: no test image of {lacking}; its rates are of the other images only.")
            parts.append(part)
    return parts, missing


def absent_classes(data: Dataset) -> str:
    """Return the names of the classes without images, joined by commas."""
    return ", ".join(name for index, name in enumerate(data.classes) if index not in set(data.labels.tolist()))


def image_names(data: Dataset) -> npt.NDArray[np.object_]:
    """Return the file name of each image."""
    return np.array([Path(path).name for path in data.paths], dtype=object)
