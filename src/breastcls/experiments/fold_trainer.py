"""`FitTrainer`: trains by `fit` what a build function makes, on each fold with output paths of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from breastcls.experiments.fold import Fold
from breastcls.experiments.fold_models import FreshModels
from breastcls.experiments.fold_runner import interrupted
from breastcls.training.fit import fit
from breastcls.training.run import Run
from breastcls.training.run_options import Logging


class FitTrainer:
    """Builds a new model for each fold and trains it by `fit`.

    Args:
        build: Makes an untrained model.
        options: Further arguments of `fit`.
        seed: Seed of the random draws in `build`.
        tta: Test-time augmentation, as in `predict`.
        allow_leakage: Whether a model may have been trained on cases of the test images before.
        on_build: Called with each new model before it is trained.
    """

    name = "fit"

    def __init__(
        self,
        build: Callable[[], keras.Model],
        options: Mapping[str, Any],
        seed: int,
        *,
        tta: str | None = None,
        allow_leakage: bool = False,
        on_build: Callable[[keras.Model], None] | None = None,
    ) -> None:
        self.tta = tta
        self.batch_size: int = options.get("batch_size", 32)
        self._models = FreshModels(build, seed, allow_leakage=allow_leakage)
        self._options, self._allow_leakage, self._on_build = options, allow_leakage, on_build

    def train_model(
        self, fold: Fold, *, seed: int, run_dir: Path | None, resume: bool, progress: bool
    ) -> tuple[keras.Model, Run]:
        """Train a new model on a fold.

        Raises:
            TrainingError: If `build` does not give the same untrained model each time.
            LeakageError: If the model was trained on a case of the test images before.
            KeyboardInterrupt: After Ctrl-C.
        """
        model = self._models.make(fold.test)
        if self._on_build is not None:
            self._on_build(model)
        run = fit(
            model,
            fold.train,
            fold.val,
            seed=seed,
            run_dir=run_dir,
            resume=resume and run_dir is not None and (run_dir / "config.json").exists(),
            allow_leakage=self._allow_leakage,
            **options_for_fold(self._options, fold.name, progress=progress),
        )
        if run.stopped == "interrupted":
            raise interrupted(fold, run_dir)
        return model, run


def options_for_fold(options: Mapping[str, Any], name: str, *, progress: bool = True) -> dict[str, Any]:
    """Return the options of one fold's training, with log files of its own, since each training writes them whole.

    Args:
        options: Those of all trainings.
        name: Name of the fold, such as "fold-1".
        progress: False to show none, whatever the options are.

    Example:
        >>> from breastcls.training.run_options import Logging
        >>> options_for_fold({"logging": Logging(csv="curves.csv")}, "fold-1")["logging"].csv
        PosixPath('curves-fold-1.csv')
    """
    if options.get("logging") is None and progress:
        return dict(options)
    logging = Logging.of(options.get("logging"))
    changes: dict[str, Any] = {"progress": progress and logging.progress}
    if logging.tensorboard is not None:
        changes["tensorboard"] = Path(logging.tensorboard) / name
    if logging.csv is not None:
        path = Path(logging.csv)
        changes["csv"] = path.with_name(f"{path.stem}-{name}{path.suffix}")
    return {**options, "logging": dataclasses.replace(logging, **changes)}
