"""A recipe as data: what a published project did, and what has to be said beside it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from breastcls.errors import LayoutError, RecipeError
from breastcls.models.backbones.backbone import HEADS, check_image_size

if TYPE_CHECKING:
    import os

    from breastcls.datasets.dataset import Dataset
    from breastcls.experiments.recipes.recipe_trainer import RecipeTrainer

KINDS = ("breakhis", "idc", "any")
"""What images a recipe is for: BreakHis, the IDC patches, or any."""


class TrainFunction(Protocol):
    """How a recipe trains that does more than one call of `fit`."""

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
        """Train on `train`, choosing by `val` where there is one, and return a `keras.Model` with a card.

        `image_size` and `epochs` are None unless the caller asked for others than the recipe's own. The two sets share
        cases on the side that splits over images: pass `allow_leakage=True` to `fit`.
        """


@dataclass(frozen=True)
class Contender:
    """One model of a recipe.

    Args:
        name: What it is called in tables; a backbone's own name where there is one of each.
        backbone: A name of `list_backbones()`; None where the recipe brings its own training.
        image_size: (height, width) of its input.
        head: The head of `build_model`; None for the backbone's own.
        dropout: Rate of the dropout in the head; None for the head's own.
        options: Options of the backbone.
        reported: Values that the project gives for it, by the names of metrics in `Evaluation.metrics`.
    """

    name: str
    backbone: str | None
    image_size: tuple[int, int] = (224, 224)
    head: str | None = None
    dropout: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    reported: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_size", check_image_size(self.image_size))
        if self.head is not None and self.head not in HEADS:
            raise RecipeError(f"{self.name!r} asks for the head {self.head!r}. Known: {', '.join(HEADS)}.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a project did, so that it can be done again: once with its own split and once over cases.

    Args:
        name: What `run_recipe` takes.
        title: The recipe in a few words.
        summary: What the project did.
        reported: The figure it reported, in words; the numbers stand with the contenders.
        data: What images it is for, one of `KINDS`.
        contenders: The models that it compares, at least one.
        per_magnification: Whether each magnification is trained and judged for itself.
        fractions: How the project split at random over images: (train, test) or (train, validation, test). The same
            shares are dealt over cases.
        augment: Name of the augmentation policy.
        fit: Further arguments of `fit`.
        scratch: Arguments of `fit` that take the place of those where a backbone starts from random weights, which a
            rate made for pretrained ones would ruin. Only where its weights are published.
        explain: Method of the heat-maps that the project drew; None where it drew none.
        tta: Test-time augmentation, as in `predict`.
        metrics: The figures to show, by the names of `breastcls.metrics.classification_metrics.METRICS`.
        assumed: What the description of the project leaves open, and what is done here instead of guessing in silence.
        train: Takes the place of `build_model` and `fit`.

    Raises:
        RecipeError: If a field is not what it should be.

    Example:
        >>> tiny = Recipe(name="tiny", title="The four-layer network", summary="For a demonstration.",
        ...               contenders=(Contender("cnn4", "cnn4", (32, 32)),), fractions=(0.7, 0.3), fit={"epochs": 2})
        >>> tiny.reported
        'no figure'
    """

    name: str
    title: str
    summary: str
    contenders: tuple[Contender, ...]
    fractions: tuple[float, ...]
    reported: str = "no figure"
    data: str = "any"
    per_magnification: bool = False
    augment: str = "none"
    fit: Mapping[str, Any] = field(default_factory=dict)
    scratch: Mapping[str, Any] = field(default_factory=dict)
    explain: str | None = None
    tta: str | None = None
    metrics: tuple[str, ...] = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc")
    assumed: tuple[str, ...] = ()
    train: TrainFunction | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise RecipeError(f"A recipe needs a name; found {self.name!r}.")
        if self.data not in KINDS:
            raise RecipeError(f"The recipe {self.name!r} is for {self.data!r}. Known: {', '.join(KINDS)}.")
        names = [contender.name for contender in self.contenders]
        if not names or len(set(names)) < len(names):
            raise RecipeError(f"The recipe {self.name!r} needs contenders, each with a name of its own; found {names}.")
        without = [contender.name for contender in self.contenders if contender.backbone is None]
        if without and self.train is None:
            raise RecipeError(f"{without[0]!r} of the recipe {self.name!r} needs a backbone, or the recipe a train.")
        shares = self.fractions
        if len(shares) not in (2, 3) or any(share <= 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
            raise RecipeError(
                f"The recipe {self.name!r} splits into {shares}; expected (train, test) or (train, validation, test), "
                "adding up to 1."
            )

    @property
    def split_in_words(self) -> str:
        """The split, such as "70/30" or "72/8/20".

        Example:
            >>> from breastcls.experiments.recipes.recipe_registry import recipes
            >>> recipes["cancernet-idc"].split_in_words
            '72/8/20'
        """
        return "/".join(f"{100 * share:g}" for share in self.fractions)

    def trainer(
        self,
        contender: str | None = None,
        *,
        weights: Any = "default",
        image_size: int | tuple[int, int] | None = None,
        epochs: int | None = None,
    ) -> RecipeTrainer:
        """Return one of its models with all settings, as `evaluate_protocol` takes it.

        Args:
            contender: Name of the model; needed where the recipe compares several.
            weights: What the backbone starts from, as in `build_model`.
            image_size: (height, width), or one number for a square, instead of the recipe's own.
            epochs: Instead of the recipe's own.

        Raises:
            RecipeError: If there is no such contender, or it has to be named.
        """
        from breastcls.experiments.recipes.recipe_trainer import RecipeTrainer

        names = [one.name for one in self.contenders]
        if contender not in names and not (contender is None and len(names) == 1):
            raise RecipeError(f"contender is {contender!r}; the recipe {self.name!r} has {', '.join(names)}.")
        chosen = self.contenders[0 if contender is None else names.index(contender)]
        size = None if image_size is None else check_image_size(image_size)
        return RecipeTrainer(self, chosen, weights, size, epochs)

    def load(self, path: str | os.PathLike[str], **options: Any) -> Dataset:
        """Read a folder with the reader that the recipe's images need; for any images, with the first that knows it.

        Args:
            path: The folder.
            **options: For the reader, such as `magnification=200`.

        Raises:
            LayoutError: If the folder does not hold such images.
        """
        from breastcls.datasets.breakhis import load_breakhis
        from breastcls.datasets.folder import load_folder
        from breastcls.datasets.idc import load_idc

        readers: Any = {"breakhis": load_breakhis, "idc": load_idc}
        if self.data in readers:
            chosen: Dataset = readers[self.data](path, **options)
            return chosen
        for reader in readers.values():
            if not set(options) <= set(inspect.signature(reader).parameters):
                continue
            try:
                known: Dataset = reader(path, **options)
            except LayoutError:
                # The next one may know it, and the last says what it expected.
                continue
            return known
        return load_folder(path, **options)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types, for JSON."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        for name in ("fit", "scratch"):
            values[name] = dict(values[name])
        for name in ("fractions", "metrics", "assumed"):
            values[name] = list(values[name])
        values["contenders"] = [
            {
                **dataclasses.asdict(dataclasses.replace(contender, options={}, reported={})),
                "image_size": list(contender.image_size),
                "options": dict(contender.options),
                "reported": dict(contender.reported),
            }
            for contender in self.contenders
        ]
        values["train"] = None if self.train is None else getattr(self.train, "__name__", type(self.train).__name__)
        return values
