"""`run_recipe`: a published project done again, as its authors did it and over cases."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.leakage import audit_leakage
from breastcls.environment import describe_environment
from breastcls.errors import OutputError, RecipeError
from breastcls.experiments.recipes.recipe import Contender, Recipe
from breastcls.experiments.recipes.recipe_page import side_folder
from breastcls.experiments.recipes.recipe_registry import RECIPES
from breastcls.experiments.recipes.recipe_result import RecipeResult, Side, Trial
from breastcls.experiments.recipes.recipe_splits import Part, magnifications_of, make_parts, spread
from breastcls.experiments.recipes.recipe_text import BY_CASE, RANDOM
from breastcls.experiments.recipes.split_runs import Order, has_published_weights, run_side
from breastcls.files import make_folder, write_text
from breastcls.metrics.metric_descriptions import format_count
from breastcls.models.backbones.backbone import check_image_size
from breastcls.predictions.prediction_fingerprint import fingerprint_table


def run_recipe(
    name: str | Recipe,
    data: Dataset | str | os.PathLike[str],
    *,
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
    """Do a published project again: once with its own random split over images, once over cases, all else alike.

    The side over images leaks, since images of one case stand in training and test; it is there to be compared with,
    and every result of it says so. The side over cases is refused if it leaks.

    Args:
        name: A name of `bc.experiments.list_recipes()`, or a `Recipe`.
        data: The images; a folder is read by the reader that the recipe's images need.
        weights: What the backbones start from, as in `build_model`: "default" for ImageNet weights where there are
            any, None for random weights, a path. Where a recipe compares several backbones, a mapping from a backbone
            to one of these; backbones that it leaves out get "default".
        image_size: (height, width), or one number for a square, instead of the recipe's own.
        epochs: Instead of the recipe's own.
        folds: None to split once into the project's shares; a number to cross-validate over so many folds, on both
            sides, so that every image is judged once.
        seed: A whole number from which splits, weights and training follow.
        output: Folder for the runs, reports, heat-maps and the result as JSON, Markdown and HTML.
        resume: Go on with what `output` holds, run by run.
        limit: Use at most so many images (of each magnification, where the recipe takes each for itself), spread over
            the cases.
        progress: Whether to show progress on standard error.

    Returns:
        The result: print it, or write it with `to_html`.

    Raises:
        RegistryError: If there is no such recipe.
        RecipeError: If an argument does not fit the recipe, or `output` holds another run than the one to resume.
        SplitError: If a class has fewer cases than there are parts.
        LeakageError: If images of different cases are the same picture, so that the side over cases would leak.
        WeightsError: If weights cannot be found, fetched or loaded.
        OutputError: If `output` cannot be written to or holds a result already.
        KeyboardInterrupt: After Ctrl-C; what was reached is in `output`.

    Example:
        >>> result = run_recipe("vgg16-breakhis", data, folds=5, output="runs/vgg16")  # doctest: +SKIP
        >>> print(result)  # doctest: +SKIP
    """
    began = time.perf_counter()
    recipe = name if isinstance(name, Recipe) else RECIPES[name]
    size = None if image_size is None else check_image_size(image_size)
    starts = _weights_for(recipe, weights)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise RecipeError(f"seed must be a whole number of at least 0; found {seed!r}.")
    if resume and output is None:
        raise RecipeError("resume=True needs the folder to go on with: pass output=.")
    if epochs is not None and (isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1):
        raise RecipeError(f"epochs must be a whole number of at least 1, or None for the recipe's; found {epochs!r}.")
    if not isinstance(data, Dataset):
        data = recipe.load(data)

    groups = _groups(recipe, data, limit, seed)
    split = {
        magnification: {by: make_parts(group, recipe.fractions, by, folds, seed) for by in ("image", "case")}
        for magnification, group in groups.items()
    }
    # Hours of training come after this; a leak that would have their result refused is found before.
    for sides in split.values():
        for part in sides["case"]:
            audit_leakage(part.seen, part.test).raise_if_leaking()

    settings = {
        "weights": {key: _plain_weights(value) for key, value in starts.items()},
        "image_size": None if size is None else list(size),
        "epochs": epochs,
        "folds": folds,
        "seed": seed,
        "limit": limit,
        "data": {"images": len(data), "table_sha256": fingerprint_table(data)},
    }
    folder = None if output is None else _open_output(output, recipe, settings, resume=resume)
    trials = []
    for magnification, group in groups.items():
        for contender in recipe.contenders:
            order = Order(starts[contender.name], size, epochs, seed, resume, progress)
            one = _Task(recipe, contender, magnification, group, split[magnification], order, folder)
            trials.append(one.run())
    result = RecipeResult(
        recipe=recipe,
        trials=tuple(trials),
        settings=settings,
        departures=_departures(recipe, starts, size, epochs, folds, limit),
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
    """One contender on one group of images, to be done on both sides."""

    recipe: Recipe
    contender: Contender
    magnification: int | None
    data: Dataset
    parts: Mapping[str, list[Part]]
    order: Order
    folder: Path | None

    @property
    def name(self) -> str:
        at = "" if self.magnification is None else f" at {self.magnification}X"
        return f"{self.contender.name}{at}"

    def run(self) -> Trial:
        return Trial(
            name=self.name,
            contender=self.contender,
            magnification=self.magnification,
            image_size=self.order.image_size or self.contender.image_size,
            images=len(self.data),
            cases=len(set(self.data.cases)),
            over_images=self._side("image"),
            over_cases=self._side("case"),
        )

    def _side(self, by: Any) -> Side:
        parts = self.parts[by]
        if self.order.progress:
            where = RANDOM if by == "image" else BY_CASE
            print(f"{self.recipe.name}: {self.name}, {where}, {len(parts)} to train", file=sys.stderr)
        folder = None if self.folder is None else self.folder / side_folder(self.name, by)
        return run_side(self.recipe, self.contender, by, parts, self.order, folder)


def _groups(recipe: Recipe, data: Dataset, limit: int | None, seed: int) -> dict[int | None, Dataset]:
    """Return the images of each training: all, or each magnification for itself."""
    if not recipe.per_magnification:
        return {None: spread(data, limit, seed)}
    return {
        magnification: spread(data.where(magnification=magnification), limit, seed)
        for magnification in magnifications_of(data)
    }


def _weights_for(recipe: Recipe, weights: Any) -> dict[str, Any]:
    """Return by contender what `build_model`, or the recipe's own training, is told."""
    names = [contender.name for contender in recipe.contenders]
    if recipe.train is not None:
        return dict.fromkeys(names, weights)
    backbones = {contender.name: str(contender.backbone) for contender in recipe.contenders}
    known = sorted({*backbones.values(), *names})
    if isinstance(weights, Mapping):
        if unknown := sorted(set(weights) - set(known)):
            raise RecipeError(f"weights names {unknown[0]!r}; the recipe {recipe.name!r} has {', '.join(known)}.")
        return {name: weights.get(name, weights.get(backbone, "default")) for name, backbone in backbones.items()}
    if weights in (None, "default"):
        return dict.fromkeys(names, weights)
    # "imagenet" or a file: for the backbone that has published weights, or the only one there is.
    takers = [name for name in names if has_published_weights(backbones[name])] or names
    if weights != "imagenet" and len({backbones[name] for name in takers}) > 1:
        raise RecipeError(
            f"The recipe {recipe.name!r} compares {', '.join(backbones[name] for name in takers)}; one file cannot fit "
            f"them all. Pass weights={{{backbones[takers[0]]!r}: {str(weights)!r}, ...}}."
        )
    return {name: weights if name in takers else None for name in names}


def _plain_weights(value: Any) -> Any:
    """Return what is recorded of a choice of weights: of a file its name, since folders differ between machines."""
    if isinstance(value, Mapping):
        return {str(key): _plain_weights(inner) for key, inner in value.items()}
    return value if value in (None, "default", "imagenet") else Path(os.fspath(value)).name


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
        contender.name
        for contender in recipe.contenders
        if contender.backbone is not None
        and starts[contender.name] is None
        and has_published_weights(contender.backbone)
    ]
    if scratch:
        found.append(f"random weights instead of ImageNet weights: {', '.join(scratch)}")
        if recipe.scratch:
            changed = ", ".join(f"{key}={value}" for key, value in recipe.scratch.items())
            found.append(f"for these {changed}, since a rate made for pretrained weights would ruin random ones")
    if size is not None:
        own = sorted({contender.image_size for contender in recipe.contenders} - {size})
        if own:
            found.append(f"images at {size[0]}x{size[1]} instead of {', '.join(f'{h}x{w}' for h, w in own)}")
    if recipe.train is not None:
        found += ["random weights"] if None in starts.values() else []
        found += [] if epochs is None else [f"epochs={epochs} asked of the recipe's own training"]
    elif epochs is not None and epochs != recipe.fit.get("epochs"):
        before = f" instead of {recipe.fit['epochs']}" if "epochs" in recipe.fit else ""
        found.append(f"{format_count(epochs, 'epoch')}{before}")
    if folds is not None:
        found.append(f"{folds} folds, on both sides, instead of one split {recipe.split_in_words}")
    if limit is not None:
        found.append(f"at most {limit} images{' of each magnification' if recipe.per_magnification else ''}")
    return tuple(found)


def _open_output(output: str | os.PathLike[str], recipe: Recipe, settings: Mapping[str, Any], *, resume: bool) -> Path:
    """Make the folder, and see that it is empty of other results or holds the one to go on with."""
    folder = make_folder(output)
    path = folder / "recipe.json"
    asked = json.loads(json.dumps({"recipe": recipe.to_dict(), **settings}))
    if not path.exists():
        write_text(path, json.dumps(asked, indent=2) + "\n")
        return folder
    if not resume:
        raise OutputError(
            f"{folder} holds a result already. Choose another output, so that nothing is overwritten, or go on with it "
            "by resume=True."
        )
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OutputError(f"{path} is damaged ({error}). Choose another output.") from error
    found = [f"{key}: {before.get(key)!r} there, {asked[key]!r} here" for key in asked if asked[key] != before.get(key)]
    if found:
        raise RecipeError(
            f"{folder} holds another run; resume=True goes on only with the same recipe, data and settings.\n  "
            + "\n  ".join(found)
        )
    return folder
