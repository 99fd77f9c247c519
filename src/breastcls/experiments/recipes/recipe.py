"""`Recipe`: what a published project did, as data."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from breastcls.errors import LayoutError, RecipeError
from breastcls.experiments.recipes.recipe_model import RecipeModel, TrainFunction
from breastcls.experiments.recipes.recipe_trainer import RecipeTrainer
from breastcls.images.resize import check_image_size
from breastcls.result import Result

if TYPE_CHECKING:
    import os

    from breastcls.datasets.dataset import Dataset

KINDS = ("breakhis", "idc", "any")
"""The images that a recipe is for: BreakHis, the IDC patches, or any."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Recipe(Result):
    """What a project did, so that it can be reproduced: with its own image-wise split and with a case-wise split.

    Args:
        name: Name under which `run_recipe` finds it.
        title: The recipe in a few words.
        summary: What the project did.
        reported: The result that it reported, in words; the values are in `models`.
        data: The images that it is for: "breakhis", "idc" or "any".
        models: The models that it compares, at least one.
        per_magnification: Whether each magnification is trained and tested separately.
        fractions: Fractions of the project's random image-wise split: (train, test) or (train, validation, test). The
            case-wise split has the same fractions.
        augment: Name of the augmentation policy.
        fit: Further arguments of `fit`.
        scratch: Arguments of `fit` that replace those if a backbone with published weights starts from random weights,
            for which a learning rate chosen for pretrained weights is too large.
        explain: Method of the heat-maps that the project drew; None if it drew none.
        tta: Test-time augmentation, as in `predict`.
        metrics: The metrics to show, by their names, as in `Evaluation.metrics`.
        assumed: Settings that the description of the project leaves open, and the choices made here.
        train: Replaces `build_model` and `fit`.

    Raises:
        RecipeError: If a field is not what it should be.

    Example:
        >>> tiny = Recipe(name="tiny", title="The four-layer network", summary="For a demonstration.",
        ...               models=(RecipeModel("cnn4", "cnn4", (32, 32)),), fractions=(0.7, 0.3), fit={"epochs": 2})
        >>> tiny.reported
        'no value'
    """

    name: str
    title: str
    summary: str
    models: tuple[RecipeModel, ...]
    fractions: tuple[float, ...]
    reported: str = "no value"
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
        names = [model.name for model in self.models]
        if not names or len(set(names)) < len(names):
            raise RecipeError(f"The recipe {self.name!r} needs models, each with a name of its own; found {names}.")
        without = [model.name for model in self.models if model.backbone is None]
        if without and self.train is None:
            raise RecipeError(f"{without[0]!r} of the recipe {self.name!r} needs a backbone, or the recipe train=.")
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
            >>> import breastcls as bc
            >>> bc.experiments.find_recipe("cancernet-idc").split_in_words
            '72/8/20'
        """
        return "/".join(f"{100 * share:g}" for share in self.fractions)

    def with_backbone(self, backbone: str) -> Recipe:
        """Return the recipe with one other backbone in the place of its own; all else stays the same.

        The head, the size of the images and the settings of `fit` are those of the first model. The values that the
        project reports are left out, since they are those of another network.

        Args:
            backbone: A name of `list_backbones()`.

        Raises:
            RegistryError: If no backbone has this name.
            RecipeError: If the recipe has its own training.

        Example:
            >>> import breastcls as bc
            >>> bc.experiments.find_recipe("vgg16-breakhis").with_backbone("mobilenetv2").models[0].name
            'mobilenetv2'
        """
        from breastcls.models.backbones.backbone_registry import BACKBONES

        if self.train is not None:
            raise RecipeError(f"The recipe {self.name!r} has its own training; its backbone cannot be replaced.")
        entry = BACKBONES[backbone]
        model = dataclasses.replace(self.models[0], name=entry.name, backbone=entry.name, options={}, reported={})
        return dataclasses.replace(self, models=(model,))

    def trainer(
        self,
        model: str | None = None,
        *,
        weights: Any = "default",
        image_size: int | tuple[int, int] | None = None,
        epochs: int | None = None,
    ) -> RecipeTrainer:
        """Return what trains one of its models with all settings, for `evaluate_protocol`.

        Args:
            model: Name of the model; needed if the recipe compares several.
            weights: Initial weights of the backbone, as in `build_model`.
            image_size: (height, width), or one number for a square, instead of the recipe's own.
            epochs: Number of epochs, instead of the recipe's own.

        Raises:
            RecipeError: If there is no such model, or it has to be named.
        """
        names = [one.name for one in self.models]
        if model not in names and not (model is None and len(names) == 1):
            raise RecipeError(f"model is {model!r}; the recipe {self.name!r} has {', '.join(names)}.")
        chosen = self.models[0 if model is None else names.index(model)]
        return RecipeTrainer(
            name=f"{self.name}: {chosen.name}",
            model=chosen,
            fit={"augment": self.augment, **self.fit},
            scratch=self.scratch,
            train=self.train,
            tta=self.tta,
            weights=weights,
            image_size=None if image_size is None else check_image_size(image_size, RecipeError),
            epochs=epochs,
        )

    def load(self, path: str | os.PathLike[str], **options: Any) -> Dataset:
        """Read a folder with the reader for the recipe's images; for any images, with the first that accepts it.

        Args:
            path: The folder.
            **options: Arguments of the reader, such as `magnification=200`.

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
                data: Dataset = reader(path, **options)
            except LayoutError:
                # Another reader may accept it; the error of the last one names what it expected.
                continue
            return data
        return load_folder(path, **options)

    def __str__(self) -> str:
        """Return the recipe in words, one setting a line."""
        models = [
            f"{model.name}, {model.image_size[0]}x{model.image_size[1]}, head {model.head or 'of the backbone'}"
            + "".join(f", {name} {value:.4g}" for name, value in model.reported.items())
            for model in self.models
        ]
        settings = ", ".join(f"{name} {value}" for name, value in self.fit.items())
        lines = [
            f"{self.name}: {self.title}",
            self.summary,
            f"Images: {self.data}{', each magnification by itself' if self.per_magnification else ''}",
            *(f"Model: {model}" for model in models),
            f"Split: {self.split_in_words}; augmentation: {self.augment}",
            f"Training: {settings or ('its own' if self.train is not None else 'the defaults of fit')}",
            f"Reported: {self.reported}",
        ]
        return "\n".join([*lines, *(f"Assumed: {one}" for one in self.assumed)])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        for name in ("fit", "scratch"):
            values[name] = dict(values[name])
        for name in ("fractions", "metrics", "assumed"):
            values[name] = list(values[name])
        values["models"] = [
            {
                **dataclasses.asdict(dataclasses.replace(model, options={}, reported={})),
                "image_size": list(model.image_size),
                "options": dict(model.options),
                "reported": dict(model.reported),
            }
            for model in self.models
        ]
        values["train"] = None if self.train is None else getattr(self.train, "__name__", type(self.train).__name__)
        return values
