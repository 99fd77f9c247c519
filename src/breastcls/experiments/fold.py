"""A fold, and the result of training and testing on it."""

from __future__ import annotations

from dataclasses import dataclass

from breastcls.datasets.dataset import Dataset
from breastcls.predictions.predictions import Predictions
from breastcls.training.run import Run


@dataclass(frozen=True)
class Fold:
    """The images of one training.

    Args:
        name: Unique among the folds of an experiment; the name of the fold's folder, such as "fold-1".
        title: How messages name the fold, such as "fold 1 of 5".
        train: Training images.
        val: Validation images, by which the best epoch is chosen, or None.
        test: Test images.
        fitted_on: Training and validation images together.
    """

    name: str
    title: str
    train: Dataset
    val: Dataset | None
    test: Dataset
    fitted_on: Dataset


@dataclass(frozen=True)
class FoldResult:
    """What one fold gave.

    Args:
        fold: The fold.
        predictions: Predictions of its test images.
        run: The record of its training; None if the training did not go through `fit`.
    """

    fold: Fold
    predictions: Predictions
    run: Run | None
