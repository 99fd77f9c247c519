"""The folds of a recipe: image-wise and case-wise splits with the same fractions, of all images or some."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
import pandas as pd

from breastcls.argument_checks import check_count
from breastcls.datasets.dataset import Dataset
from breastcls.errors import LeakageWarning, RecipeError
from breastcls.experiments.fold import Fold

By = Literal["image", "case"]


def make_folds(data: Dataset, fractions: tuple[float, ...], by: By, folds: int | None, seed: int) -> list[Fold]:
    """Split once into the fractions, or into folds whose training parts are split in proportion to the fractions.

    Args:
        data: All images.
        fractions: (train, test) or (train, validation, test).
        by: Unit that is kept whole.
        folds: None for one split; a number for cross-validation, in which every image is tested once.
        seed: The same seed gives the same folds.

    Raises:
        SplitError: If a class has fewer cases than there are parts.
    """
    with warnings.catch_warnings():
        if by == "image":
            # The leak is the purpose of this split, and every result of it states it.
            warnings.simplefilter("ignore", LeakageWarning)
        if folds is None:
            train, *val, test = data.split(fractions, by=by, seed=seed)
            return [_fold("run", "training 1 of 1", train, val[0] if val else None, test)]
        parts = []
        for number, (rest, test) in enumerate(data.folds(folds, by=by, seed=seed), start=1):
            train, held = rest, None
            if len(fractions) == 3:
                share = fractions[1] / (fractions[0] + fractions[1])
                train, held = rest.split((1 - share, share), by=by, seed=seed)
            parts.append(_fold(f"run-{number}", f"training {number} of {folds}", train, held, test))
        return parts


def _fold(name: str, title: str, train: Dataset, val: Dataset | None, test: Dataset) -> Fold:
    return Fold(name, title, train, val, test, train if val is None else train + val)


def limit_images(data: Dataset, limit: int | None, seed: int) -> Dataset:
    """Choose at most `limit` images from as many cases as possible, with the classes in proportion.

    Raises:
        RecipeError: If the limit is not a whole number of at least 1.
    """
    check_count("limit", limit, optional=True, error=RecipeError)
    if limit is None:
        return data
    rng = np.random.default_rng(seed)
    order = np.empty(len(data))
    for label in np.unique(data.labels):
        rows = rng.permutation(np.flatnonzero(data.labels == label))
        cases = pd.Series(data.cases[rows].astype(str))
        # First one image of every case, then the second of each, and so on.
        rows = rows[np.argsort(cases.groupby(cases).cumcount().to_numpy(), kind="stable")]
        # Ranks between 0 and 1 within each class keep the proportion of the classes for any limit.
        order[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    chosen = np.sort(np.argsort(order, kind="stable")[: int(limit)])
    return data[chosen]


def magnifications_of(data: Dataset) -> list[int]:
    """Return the magnifications of the images, in ascending order.

    Raises:
        RecipeError: If the magnification of an image is not known.
    """
    column = data.table["magnification"]
    if column.isna().any():
        raise RecipeError(
            f"This recipe trains each magnification separately, but that of {int(column.isna().sum())} of {len(data)} "
            "images is not known. Give a table with the column `magnification`, or choose another recipe."
        )
    return sorted(int(value) for value in column.unique())
