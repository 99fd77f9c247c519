"""`run_folds`: the one loop that trains a new model on each fold, tests it, and reads finished folds back."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import keras

from breastcls.experiments.fold import Fold, FoldResult
from breastcls.experiments.fold_folder import FoldFolder
from breastcls.images.notebook_display import print_progress
from breastcls.predictions.predict import predict
from breastcls.predictions.predictions import Predictions
from breastcls.training.run import Run

TestModel = Callable[[keras.Model, Fold], Predictions]
"""Returns a trained model's predictions of the test images of a fold."""


@runtime_checkable
class ModelTrainer(Protocol):
    """Trains one model per fold: a build function with `fit`, or a recipe (`Recipe.trainer`)."""

    @property
    def name(self) -> str:
        """Its name in records and error messages."""

    @property
    def tta(self) -> str | None:
        """Test-time augmentation, as in `predict`."""

    @property
    def batch_size(self) -> int:
        """Images per batch of `predict`."""

    def train_model(
        self, fold: Fold, *, seed: int, run_dir: Path | None, resume: bool, progress: bool
    ) -> tuple[keras.Model, Run | None]:
        """Train a new model on a fold; return it with the record of the training, if there is one.

        Raises:
            KeyboardInterrupt: After Ctrl-C.
        """


@dataclass(frozen=True)
class RunOptions:
    """How all folds of an experiment are run.

    Args:
        seed: Seed of each model and each training.
        run_dir: Folder in which each fold has one of its own name; None to write nothing.
        resume: Whether to continue what `run_dir` holds.
        progress: Whether to show progress on standard error.
    """

    seed: int
    run_dir: Path | None
    resume: bool
    progress: bool


def run_folds(
    folds: Iterable[Fold],
    trainer: ModelTrainer,
    options: RunOptions,
    *,
    finished: FoldFolder | None = None,
    test_model: TestModel | None = None,
) -> list[FoldResult]:
    """Train a new model on each fold and predict its test images; one model is in memory at a time.

    Args:
        folds: The folds.
        trainer: Trains the models.
        options: Seed, folder, resuming, progress.
        finished: Keeps the predictions of each fold, and gives back those of the folds that it holds already.
        test_model: Replaces `predict` with the trainer's test-time augmentation.

    Raises:
        TrainingError: If a finished fold is damaged, or a model cannot be trained.
        KeyboardInterrupt: After Ctrl-C; what was reached is in the folder.
    """
    results = []
    for fold in folds:
        result = None if finished is None else finished.read_finished(fold)
        if result is None:
            result = _run_fold(fold, trainer, options, test_model)
            if finished is not None:
                finished.finish(result)
        results.append(result)
        # A fine-tuned VGG19 with its optimizer takes several hundred megabytes.
        gc.collect()
    return results


def _run_fold(fold: Fold, trainer: ModelTrainer, options: RunOptions, test_model: TestModel | None) -> FoldResult:
    if options.progress:
        val = "" if fold.val is None else f", {len(fold.val)} validation images"
        print_progress(
            f"{fold.title[0].upper()}{fold.title[1:]}: {len(fold.train)} training images{val}, {len(fold.test)} test "
            "images"
        )
    model, run = trainer.train_model(
        fold,
        seed=options.seed,
        run_dir=None if options.run_dir is None else options.run_dir / fold.name,
        resume=options.resume,
        progress=options.progress,
    )
    if test_model is not None:
        return FoldResult(fold, test_model(model, fold), run)
    return FoldResult(fold, predict(model, fold.test, tta=trainer.tta, batch_size=trainer.batch_size), run)


def interrupted(fold: Fold, run_dir: Path | None) -> KeyboardInterrupt:
    """Return the error of a training that Ctrl-C stopped, so that no half-trained model is tested."""
    resume = "" if run_dir is None else f" Call it again with resume=True to continue from {run_dir}."
    return KeyboardInterrupt(f"Interrupted in {fold.title}.{resume}")
