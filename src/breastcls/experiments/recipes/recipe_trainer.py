"""A recipe as something that trains: what `evaluate_protocol` takes in the place of a function that builds a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breastcls.datasets.dataset import Dataset
from breastcls.experiments.recipes.recipe import Contender, Recipe
from breastcls.experiments.recipes.split_runs import Order, train_part


@dataclass(frozen=True)
class RecipeTrainer:
    """Trains one contender of a recipe on any images.

    Args:
        recipe: The recipe.
        contender: Which of its models.
        weights: What its backbone starts from, as in `build_model`.
        image_size: (height, width), or None for the contender's own.
        epochs: None for the recipe's own.
    """

    recipe: Recipe
    contender: Contender
    weights: Any = "default"
    image_size: tuple[int, int] | None = None
    epochs: int | None = None

    @property
    def name(self) -> str:
        """The recipe and its contender."""
        return f"{self.recipe.name}: {self.contender.name}"

    @property
    def tta(self) -> str | None:
        """How the recipe predicts; see `predict`."""
        return self.recipe.tta

    def train_model(
        self,
        train: Dataset,
        val: Dataset | None,
        *,
        seed: int,
        run_dir: Path | None,
        resume: bool,
        progress: bool,
    ) -> Any:
        """Train on some images, and return the `keras.Model`."""
        order = Order(self.weights, self.image_size, self.epochs, seed, resume, progress)
        model, _ = train_part(self.recipe, self.contender, "case", train, val, order, run_dir)
        return model
