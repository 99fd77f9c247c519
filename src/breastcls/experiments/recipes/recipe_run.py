"""`run_recipe`: reproduce a published project, with its own image-wise split and with a case-wise split."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from breastcls.argument_checks import check_count
from breastcls.datasets.dataset import Dataset
from breastcls.environment import describe_environment
from breastcls.errors import OutputError, RecipeError
from breastcls.experiments.fold import Fold
from breastcls.experiments.fold_pooling import audit_folds
from breastcls.experiments.fold_runner import RunOptions
from breastcls.experiments.recipes.model_result import ModelResult, SplitResult
from breastcls.experiments.recipes.recipe import Recipe
from breastcls.experiments.recipes.recipe_folds import By, limit_images, magnifications_of, make_folds
from breastcls.experiments.recipes.recipe_page import split_folder
from breastcls.experiments.recipes.recipe_registry import RECIPES
from breastcls.experiments.recipes.recipe_result import RecipeResult
from breastcls.experiments.recipes.recipe_text import SPLIT_TITLES
from breastcls.experiments.recipes.recipe_trainer import RecipeTrainer, has_published_weights
from breastcls.experiments.recipes.split_runs import run_split
from breastcls.files import make_folder, write_text
from breastcls.images.resize import check_image_size
from breastcls.metrics.number_format import format_count
from breastcls.predictions.prediction_fingerprint import fingerprint_table
from breastcls.size_limits import read_json

SPLITS_BY: tuple[By, By] = ("image", "case")


def run_recipe(
    name: str | Recipe,
    data: Dataset | str | os.PathLike[str],
    *,
    backbone: str | None = None,
    weights: str | os.PathLike[str] | Mapping[str, Any] | None = "default",
    image_size: int | tuple[int, int] | None = None,
    epochs: int | None = None,
    folds: int | None = None,
    seed: int = 0,
    output: str | os.PathLike[str] | None = None,
    resume: bool = False,
    limit: int | None = None,
    progress: bool = True,
) -> RecipeResult:
    """Reproduce a published project twice: with its own random image-wise split and with a case-wise split.

    All else is the same. The image-wise split leaks, since images of one case are in both training and test; it serves
    for comparison, and every result of it states the leak. A case-wise split that leaks is refused.

    Args:
        name: A name of `bc.experiments.list_recipes()`, or a `Recipe`.
        data: The images; a folder is read by the reader that the recipe's images need.
        backbone: Name of a backbone that replaces those of the recipe, with all else the same; see
            `Recipe.with_backbone`. None for the recipe's own.
        weights: Initial weights of the backbones, as in `build_model`: "default" for ImageNet weights if there are
            any, None for random weights, a path. If a recipe compares several backbones, a mapping from a backbone to
            one of these; backbones that it leaves out get "default".
        image_size: (height, width), or one number for a square, instead of the recipe's own.
        epochs: Number of epochs, instead of the recipe's own.
        folds: None to split once into the project's fractions; a number for cross-validation with so many folds, with
            both splits, so that every image is tested once.
        seed: Seed of splits, weights and training.
        output: Folder for the runs, reports, heat-maps and the result as JSON, Markdown and HTML.
        resume: Continue what `output` holds, run by run.
        limit: Maximum number of images (of each magnification, if the recipe takes each separately), from as many cases
            as possible.
        progress: Whether to show progress on standard error.

    Returns:
        The result; print it, or write it with `to_html`.

    Raises:
        RegistryError: If there is no such recipe.
        RecipeError: If an argument does not fit the recipe, or `output` holds another run than the one to resume.
        SplitError: If a class has fewer cases than there are parts.
        LeakageError: If images of different cases have the same pixels, so that the case-wise split would leak.
        WeightsError: If weights cannot be found, fetched or loaded.
        OutputError: If `output` cannot be written to or holds a result already.
        KeyboardInterrupt: After Ctrl-C; what was reached is in `output`.

    Example:
        >>> result = run_recipe("vgg16-breakhis", data, folds=5, output="runs/vgg16")  # doctest: +SKIP
        >>> print(result)  # doctest: +SKIP
    """
    began = time.perf_counter()
    published = name if isinstance(name, Recipe) else RECIPES[name]
    recipe = published if backbone is None else published.with_backbone(backbone)
    size = None if image_size is None else check_image_size(image_size, RecipeError)
    starts = _weights_for(recipe, weights)
    check_count("seed", seed, 0, error=RecipeError)
    check_count("epochs", epochs, optional=True, error=RecipeError)
    if resume and output is None:
        raise RecipeError("resume=True needs the folder to continue: pass output=.")
    if not isinstance(data, Dataset):
        data = recipe.load(data)

    groups = _groups(recipe, data, limit, seed)
    split = {
        magnification: {by: make_folds(group, recipe.fractions, by, folds, seed) for by in SPLITS_BY}
        for magnification, group in groups.items()
    }
    # Before hours of training: a leak for which their result would be refused.
    for of_unit in split.values():
        audit_folds(of_unit["case"]).raise_if_leaking(has_argument=False)

    settings = {
        "weights": {key: _weights_name(value) for key, value in starts.items()},
        "image_size": None if size is None else list(size),
        "epochs": epochs,
        "folds": folds,
        "seed": seed,
        "limit": limit,
        "data": {"images": len(data), "table_sha256": fingerprint_table(data)},
    }
    folder = None if output is None else _open_output(output, recipe, settings, resume=resume)
    options = RunOptions(seed, folder, resume, progress)
    models = []
    for magnification, group in groups.items():
        for model in recipe.models:
            trainer = recipe.trainer(model.name, weights=starts[model.name], image_size=size, epochs=epochs)
            task = _Task(trainer, recipe.explain, magnification, group, split[magnification], options)
            models.append(task.run())
    result = RecipeResult(
        recipe=recipe,
        models=tuple(models),
        settings=settings,
        departures=(*_replaced(published, recipe), *_departures(recipe, starts, size, epochs, folds, limit)),
        environment=describe_environment(),
        seconds=time.perf_counter() - began,
        output=folder,
    )
    if folder is not None:
        result.to_html(folder)
        result.to_markdown(folder / "result.md")
        result.to_json(folder / "result.json")
    return result


@dataclass(frozen=True)
class _Task:
    """One model on one group of images, to be run with both splits."""

    trainer: RecipeTrainer
    explain_by: str | None
    magnification: int | None
    data: Dataset
    folds: Mapping[By, list[Fold]]
    options: RunOptions

    def run(self) -> ModelResult:
        at = "" if self.magnification is None else f" at {self.magnification}X"
        name, model = f"{self.trainer.model.name}{at}", self.trainer.model
        image_split, case_split = (self._run_split(name, f"{self.trainer.name}{at}", by) for by in SPLITS_BY)
        return ModelResult(
            name=name,
            model=model,
            magnification=self.magnification,
            image_size=self.trainer.image_size or model.image_size,
            images=len(self.data),
            cases=len(set(self.data.cases)),
            image_split=image_split,
            case_split=case_split,
        )

    def _run_split(self, name: str, title: str, by: By) -> SplitResult:
        folds = [replace(fold, title=f"{title}, {SPLIT_TITLES[by]}, {fold.title}") for fold in self.folds[by]]
        output = self.options.run_dir
        options = replace(self.options, run_dir=None if output is None else output / split_folder(name, by))
        trainer = replace(self.trainer, allow_leakage=by == "image")
        return run_split(trainer, by, folds, options, self.explain_by)


def _groups(recipe: Recipe, data: Dataset, limit: int | None, seed: int) -> dict[int | None, Dataset]:
    """Return the images of each training: all, or those of each magnification."""
    if not recipe.per_magnification:
        return {None: limit_images(data, limit, seed)}
    return {
        magnification: limit_images(data.where(magnification=magnification), limit, seed)
        for magnification in magnifications_of(data)
    }


def _weights_for(recipe: Recipe, weights: Any) -> dict[str, Any]:
    """Return the initial weights by model, as `build_model` or the recipe's own training takes them."""
    names = [model.name for model in recipe.models]
    if recipe.train is not None:
        return dict.fromkeys(names, weights)
    backbones = {model.name: str(model.backbone) for model in recipe.models}
    known = sorted({*backbones.values(), *names})
    if isinstance(weights, Mapping):
        if unknown := sorted(set(weights) - set(known)):
            raise RecipeError(f"weights names {unknown[0]!r}; the recipe {recipe.name!r} has {', '.join(known)}.")
        return {name: weights.get(name, weights.get(backbone, "default")) for name, backbone in backbones.items()}
    if weights in (None, "default"):
        return dict.fromkeys(names, weights)
    # "imagenet" or a file: for the backbones that have published weights, or the only one.
    takers = [name for name in names if has_published_weights(backbones[name])] or names
    if weights != "imagenet" and len({backbones[name] for name in takers}) > 1:
        raise RecipeError(
            f"The recipe {recipe.name!r} compares {', '.join(backbones[name] for name in takers)}; one file cannot fit "
            f"them all. Pass weights={{{backbones[takers[0]]!r}: {str(weights)!r}, ...}}."
        )
    return {name: weights if name in takers else None for name in names}


def _weights_name(value: Any) -> Any:
    """Return weights as they are recorded: a file by its name, since folders differ between machines."""
    if isinstance(value, Mapping):
        return {str(key): _weights_name(inner) for key, inner in value.items()}
    return value if value in (None, "default", "imagenet") else Path(os.fspath(value)).name


def _replaced(published: Recipe, recipe: Recipe) -> tuple[str, ...]:
    before, now = (", ".join(model.name for model in one.models) for one in (published, recipe))
    return () if before == now else (f"{now} instead of {before}",)


def _departures(
    recipe: Recipe,
    starts: Mapping[str, Any],
    size: tuple[int, int] | None,
    epochs: int | None,
    folds: int | None,
    limit: int | None,
) -> tuple[str, ...]:
    found = []
    scratch = [
        model.name
        for model in recipe.models
        if model.backbone is not None and starts[model.name] is None and has_published_weights(model.backbone)
    ]
    if scratch:
        found.append(f"random weights instead of ImageNet weights: {', '.join(scratch)}")
        if recipe.scratch:
            changed = ", ".join(f"{key}={value}" for key, value in recipe.scratch.items())
            found.append(f"for these {changed}, since the rate for pretrained weights is too large for random ones")
    if size is not None:
        own = sorted({model.image_size for model in recipe.models} - {size})
        if own:
            found.append(f"images at {size[0]}x{size[1]} instead of {', '.join(f'{h}x{w}' for h, w in own)}")
    if recipe.train is not None:
        found += ["random weights"] if None in starts.values() else []
        found += [] if epochs is None else [f"epochs={epochs} passed to the recipe's own training"]
    elif epochs is not None and epochs != recipe.fit.get("epochs"):
        before = f" instead of {recipe.fit['epochs']}" if "epochs" in recipe.fit else ""
        found.append(f"{format_count(epochs, 'epoch')}{before}")
    if folds is not None:
        found.append(f"{folds} folds, with both splits, instead of one split {recipe.split_in_words}")
    if limit is not None:
        found.append(
            f"at most {format_count(limit, 'image')}{' of each magnification' if recipe.per_magnification else ''}"
        )
    return tuple(found)


def _open_output(output: str | os.PathLike[str], recipe: Recipe, settings: Mapping[str, Any], *, resume: bool) -> Path:
    """Create the folder, and check that it holds no result, or the one to resume."""
    folder = make_folder(output)
    path = folder / "recipe.json"
    asked = json.loads(json.dumps({"recipe": recipe.to_dict(), **settings}))
    if not path.exists():
        write_text(path, json.dumps(asked, indent=2) + "\n")
        return folder
    if not resume:
        raise OutputError(
            f"{folder} holds a result already. Choose another output, so that nothing is overwritten, or continue it "
            "with resume=True."
        )
    try:
        before = read_json(path, nan=True)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} is damaged ({error}). Choose another output.") from error
    found = [f"{key}: {before.get(key)!r} there, {asked[key]!r} here" for key in asked if asked[key] != before.get(key)]
    if found:
        raise RecipeError(
            f"{folder} holds another run; resume=True continues only with the same recipe, data and settings.\n  "
            + "\n  ".join(found)
        )
    return folder
