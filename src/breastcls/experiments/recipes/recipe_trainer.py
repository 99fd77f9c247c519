"""`RecipeTrainer`: trains one model of a recipe with the recipe's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from breastcls.experiments.recipes.recipe_model import RecipeModel, TrainFunction

if TYPE_CHECKING:
    from breastcls.experiments.fold import Fold


@dataclass(frozen=True)
class RecipeTrainer:
    """Trains one model of a recipe; `Recipe.trainer` makes it, and `evaluate_protocol` takes it.

    Args:
        name: The recipe and its model, such as "vgg16-breakhis: vgg16".
        model: The model.
        fit: Arguments of `fit`.
        scratch: Arguments of `fit` that replace those if a backbone with published weights starts from random ones.
        train: Replaces `build_model` and `fit`.
        tta: Test-time augmentation, as in `predict`.
        weights: Initial weights of the backbone, as in `build_model`.
        image_size: (height, width), or None for the model's own.
        epochs: None for the recipe's own.
        allow_leakage: Whether training and validation images may share cases.
    """

    name: str
    model: RecipeModel
    fit: Mapping[str, Any] = field(default_factory=dict)
    scratch: Mapping[str, Any] = field(default_factory=dict)
    train: TrainFunction | None = None
    tta: str | None = None
    weights: Any = "default"
    image_size: tuple[int, int] | None = None
    epochs: int | None = None
    allow_leakage: bool = False
    batch_size: int = 32

    def train_model(
        self, fold: Fold, *, seed: int, run_dir: Path | None, resume: bool, progress: bool
    ) -> tuple[Any, Any]:
        """Train a new model on a fold; return it with its record, which is None if the recipe has its own training.

        Raises:
            KeyboardInterrupt: After Ctrl-C; what was reached is in `run_dir`.
        """
        if self.train is not None:
            return self._train_own(self.train, fold, seed, run_dir, resume=resume, progress=progress), None
        # The list of recipes is shown without loading Keras.
        from breastcls.experiments.fold_runner import interrupted
        from breastcls.models.building import build_model
        from breastcls.models.model_card import get_card
        from breastcls.training.fit import fit
        from breastcls.training.run_options import Logging

        assert self.model.backbone is not None  # Recipe checks it
        model = build_model(
            self.model.backbone,
            classes=fold.train.classes,
            image_size=self.image_size or self.model.image_size,
            weights=self.weights,
            head=self.model.head,
            dropout=self.model.dropout,
            seed=seed,
            **self.model.options,
        )
        settings = dict(self.fit)
        card = get_card(model)
        if card is not None and card.weights is None and has_published_weights(self.model.backbone):
            settings |= self.scratch
        if self.epochs is not None:
            settings["epochs"] = self.epochs
        run = fit(
            model,
            fold.train,
            fold.val,
            seed=seed,
            run_dir=run_dir,
            resume=resume,
            allow_leakage=self.allow_leakage,
            logging=Logging(progress=progress),
            **settings,
        )
        if run.stopped == "interrupted":
            raise interrupted(fold, run_dir)
        return model, run

    def _train_own(
        self, train: TrainFunction, fold: Fold, seed: int, run_dir: Path | None, *, resume: bool, progress: bool
    ) -> Any:
        from breastcls.models.persistence import load_model, save_model

        finished = None if run_dir is None else run_dir.parent / f"{run_dir.name}.keras"
        if resume and finished is not None and finished.is_file():
            return load_model(finished)
        model = train(
            fold.train,
            fold.val,
            weights=self.weights,
            image_size=self.image_size,
            epochs=self.epochs,
            seed=seed,
            run_dir=run_dir,
            resume=resume,
            progress=progress,
        )
        if finished is not None:
            save_model(model, finished)
        return model


def has_published_weights(backbone: str) -> bool:
    """Return whether ImageNet weights of a backbone are published."""
    from breastcls.models.backbones.backbone_registry import BACKBONES

    return BACKBONES[backbone].pretrained is not None
