"""The division of images into the folds of a cross-validation."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.image_rows import Unit
from breastcls.errors import LeakageWarning, TrainingError
from breastcls.experiments.fold import Fold
from breastcls.text_tables import format_count


@dataclass(frozen=True)
class FoldPlan:
    """How images are divided into folds.

    Args:
        folds: Number of folds, or "leave-one-out".
        by: Unit that is kept whole.
        seed: Seed of the folds and of the validation parts.
        val_fraction: Fraction of the other cases that each fold is validated on.
    """

    folds: int | Literal["leave-one-out"]
    by: Unit
    seed: int
    val_fraction: float = 0.0

    @property
    def divides_cases(self) -> bool:
        """Whether the unit is a part of a case, so that one case may be in several folds."""
        return self.by in ("slide", "image")

    def divide(self, data: Dataset) -> tuple[list[Fold], npt.NDArray[np.int64]]:
        """Return the folds, and for each image the number of the fold, from 1 on, in which it is tested.

        Raises:
            TrainingError: If an image is in the data twice.
            SplitError: If the folds, or the validation parts, cannot be made.
        """
        row_of = {path: row for row, path in enumerate(data.paths)}
        if len(row_of) < len(data):
            raise TrainingError(
                f"{len(data) - len(row_of)} of {format_count(len(data), 'row')} name a file that another row names "
                "too; each image must be in the data once, so that it is tested once."
            )
        fold_of = np.zeros(len(data), dtype=np.int64)
        parts = []
        with warnings.catch_warnings():
            # The leak itself is audited, and reported once with its size.
            warnings.simplefilter("ignore", LeakageWarning)
            pairs = data.folds(self.folds, by=self.by, seed=self.seed)
        for number, (rest, test) in enumerate(pairs, start=1):
            fold_of[[row_of[path] for path in test.paths]] = number
            train, val = rest, None
            if self.val_fraction > 0:
                train, val = rest.split((1 - self.val_fraction, self.val_fraction), by="case", seed=self.seed)
            parts.append(Fold(f"fold-{number}", f"fold {number} of {len(pairs)}", train, val, test, rest))
        return parts, fold_of
