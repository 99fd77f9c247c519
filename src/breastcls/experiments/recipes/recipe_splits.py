"""What is trained on and what is judged: the same shares dealt over images and over cases."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.errors import LeakageWarning, RecipeError

By = Literal["image", "case"]


@dataclass(frozen=True)
class Part:
    """One training and what is judged by it.

    Args:
        train: Images to learn from.
        val: Images to choose the best epoch by, or None.
        test: Images to judge.
    """

    train: Dataset
    val: Dataset | None
    test: Dataset

    @property
    def seen(self) -> Dataset:
        """All images that training looked at."""
        return self.train if self.val is None else self.train + self.val


def make_parts(data: Dataset, fractions: tuple[float, ...], by: By, folds: int | None, seed: int) -> list[Part]:
    """Split once into shares, or into folds whose training parts are split like the shares.

    Args:
        data: All images.
        fractions: (train, test) or (train, validation, test).
        by: What is kept whole.
        folds: None for one split; a number for cross-validation, in which every image is judged once.
        seed: The same seed gives the same parts.

    Raises:
        SplitError: If a class has fewer cases than there are parts.
    """
    with warnings.catch_warnings():
        if by == "image":
            # That it leaks is what this side is there to show; every result of it says so.
            warnings.simplefilter("ignore", LeakageWarning)
        if folds is None:
            train, *val, test = data.split(fractions, by=by, seed=seed)
            return [Part(train, val[0] if val else None, test)]
        parts = []
        for seen, test in data.folds(folds, by=by, seed=seed):
            if len(fractions) == 2:
                parts.append(Part(seen, None, test))
                continue
            share = fractions[1] / (fractions[0] + fractions[1])
            train, held = seen.split((1 - share, share), by=by, seed=seed)
            parts.append(Part(train, held, test))
        return parts


def spread(data: Dataset, limit: int | None, seed: int) -> Dataset:
    """Choose at most `limit` images, of as many cases as possible, the classes in proportion.

    Raises:
        RecipeError: If the limit is not a whole number of at least 1.
    """
    if limit is None:
        return data
    if isinstance(limit, bool) or not isinstance(limit, (int, np.integer)) or limit < 1:
        raise RecipeError(f"limit must be a whole number of at least 1, or None; found {limit!r}.")
    rng = np.random.default_rng(seed)
    order = np.empty(len(data))
    for label in np.unique(data.labels):
        rows = rng.permutation(np.flatnonzero(data.labels == label))
        seen: dict[str, int] = {}
        turns = np.array([_count(seen, str(case)) for case in data.cases[rows]])
        rows = rows[np.argsort(turns, kind="stable")]
        # Each class gives way in step with the others, so that any limit keeps their proportion.
        order[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    chosen = np.sort(np.argsort(order, kind="stable")[: int(limit)])
    return data[chosen]


def _count(seen: dict[str, int], case: str) -> int:
    seen[case] = seen.get(case, 0) + 1
    return seen[case]


def magnifications_of(data: Dataset) -> list[int]:
    """Return the magnifications that the images have, in ascending order.

    Raises:
        RecipeError: If that of an image is not known.
    """
    column = data.table["magnification"]
    if column.isna().any():
        raise RecipeError(
            f"This recipe trains each magnification for itself, but that of {int(column.isna().sum())} of {len(data)} "
            "images is not known. Give a table with the column `magnification`, or choose another recipe."
        )
    return sorted(int(value) for value in column.unique())
