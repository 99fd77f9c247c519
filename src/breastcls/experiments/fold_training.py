"""One training of the BreakHis protocol: a published fold at one magnification, learnt and judged."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import keras

from breastcls.datasets.dataset import Dataset
from breastcls.experiments.fold_models import FreshModels, options_of
from breastcls.predictions.predict import predict
from breastcls.predictions.predictions import Predictions
from breastcls.training.fit import fit


@runtime_checkable
class Trains(Protocol):
    """Turns images into a trained model by itself, as a recipe does (`Recipe.trainer`)."""

    @property
    def name(self) -> str:
        """What it is called in the record."""

    @property
    def tta(self) -> str | None:
        """Test-time augmentation, as in `predict`."""

    def train_model(
        self,
        train: Dataset,
        val: Dataset | None,
        *,
        seed: int,
        run_dir: Path | None,
        resume: bool,
        progress: bool,
    ) -> keras.Model:
        """Train, choosing the best epoch by `val` where there is one."""


@dataclass(frozen=True)
class FoldPart:
    """One published fold at one magnification."""

    magnification: int
    fold: int
    train: Dataset
    test: Dataset

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.magnification}X, fold {self.fold}"


@dataclass(frozen=True)
class FoldTraining:
    """How every part is learnt and judged.

    Args:
        build: Makes an untrained model, or trains by itself.
        val_fraction: Share of the training images, split off by case, to choose the best epoch by.
        seed: From which model, validation part and training follow.
        run_dir: Folder of the protocol.
        resume: Whether to go on with what it holds.
        tta: Test-time augmentation.
        progress: Whether to show progress.
        options: What else `fit` is told.
    """

    build: Callable[[], keras.Model] | Trains
    val_fraction: float
    seed: int
    run_dir: Path | None
    resume: bool
    tta: str | None
    progress: bool
    options: Mapping[str, Any]

    @cached_property
    def fresh(self) -> FreshModels:
        """A new model for each training."""
        assert not isinstance(self.build, Trains)
        return FreshModels(self.build, self.seed)

    def judge(self, part: FoldPart, train: Dataset, side: str) -> Predictions:
        """Learn from some images, and judge the test images of a part.

        Args:
            part: What is judged.
            train: What is learnt from: its training images, or some of them.
            side: What tells this training from others of the part, in its folder.

        Raises:
            TrainingError: If `build` does not give the same untrained model each time.
            LeakageError: If it was trained on a case of the test images.
            KeyboardInterrupt: After Ctrl-C.
        """
        if self.progress:
            print(f"{part.name}, {side}: {len(train)} to learn from, {len(part.test)} to judge", file=sys.stderr)
        val = None
        if self.val_fraction > 0:
            train, val = train.split((1 - self.val_fraction, self.val_fraction), by="case", seed=self.seed)
        name = f"{part.magnification}X-fold-{part.fold}-{side}"
        own: dict[str, Any] = {
            "seed": self.seed,
            "run_dir": None if self.run_dir is None else self.run_dir / name,
            "resume": self.resume,
            "progress": self.progress,
        }
        if isinstance(self.build, Trains):
            model = self.build.train_model(train, val, **own)
            return predict(model, part.test, tta=self.build.tta).with_threshold(None)
        options = options_of(self.options, name)
        model = self.fresh.make(part.test)
        if fit(model, train, val, **options, **own).stopped == "interrupted":
            go_on = "" if self.run_dir is None else " evaluate_protocol(..., resume=True) goes on with what it holds."
            raise KeyboardInterrupt(f"Interrupted in {part.name}, {side}.{go_on}")
        found = predict(model, part.test, tta=self.tta, batch_size=options.get("batch_size", 32))
        return found.with_threshold(None)
