"""`RecipeModel`: one model of a recipe, and the form of a recipe's own training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from breastcls.errors import RecipeError
from breastcls.images.resize import check_image_size
from breastcls.models.backbones.backbone import HEADS

if TYPE_CHECKING:
    from breastcls.datasets.dataset import Dataset


class TrainFunction(Protocol):
    """The training of a recipe that does more than one call of `fit`."""

    def __call__(
        self,
        train: Dataset,
        val: Dataset | None,
        *,
        weights: Any,
        image_size: tuple[int, int] | None,
        epochs: int | None,
        seed: int,
        run_dir: Path | None,
        resume: bool,
        progress: bool,
    ) -> Any:
        """Train on `train`, with `val` for validation if it is given, and return a `keras.Model` with a card.

        `image_size` and `epochs` are None unless the caller asked for others than the recipe's own. In the image-wise
        split the two datasets share cases: pass `allow_leakage=True` to `fit`.
        """


@dataclass(frozen=True)
class RecipeModel:
    """One model of a recipe.

    Args:
        name: Its name in tables; the name of the backbone if each model has another backbone.
        backbone: A name of `list_backbones()`; None if the recipe has its own training.
        image_size: (height, width) of its input.
        head: The head of `build_model`; None for the backbone's own.
        dropout: Rate of the dropout in the head; None for the head's own.
        options: Options of the backbone.
        reported: Values that the project reports for it, by the names of metrics in `Evaluation.metrics`.

    Raises:
        RecipeError: If there is no such head.
    """

    name: str
    backbone: str | None
    image_size: tuple[int, int] = (224, 224)
    head: str | None = None
    dropout: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    reported: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_size", check_image_size(self.image_size, RecipeError))
        if self.head is not None and self.head not in HEADS:
            raise RecipeError(f"{self.name!r} asks for the head {self.head!r}. Known: {', '.join(HEADS)}.")
