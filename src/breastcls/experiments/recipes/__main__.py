"""Reproduce published projects from the command line.

    python -m breastcls.experiments.recipes list
    python -m breastcls.experiments.recipes show vgg16-breakhis
    python -m breastcls.experiments.recipes run vgg16-breakhis --data BreaKHis_v1 --output runs/vgg16
    python -m breastcls.experiments.recipes run cancernet-idc                     # with synthetic images

Without network pass `--weights none`, or the path of a weight file. `--weights vgg19=FILE --weights resnet50=FILE`
gives each backbone of a recipe its own weights.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.synthetic.image_trees import make_breakhis, make_idc
from breastcls.errors import BreastclsError
from breastcls.experiments.recipes.recipe import Recipe
from breastcls.experiments.recipes.recipe_registry import RECIPES, list_recipes

# Synthetic images show only that a recipe runs, so they are few and small.
_SYNTHETIC: dict[str, Any] = {"epochs": 2, "image_size": 48}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return 0, or 1 with the error on standard error."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        if given.command == "list":
            print(list_recipes())
        elif given.command == "show":
            print(json.dumps(RECIPES[given.recipe].to_dict(), indent=2))
        else:
            _run(RECIPES[given.recipe], given)
    except BreastclsError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _run(recipe: Recipe, given: argparse.Namespace) -> None:
    _import_keras_quietly()
    from breastcls.experiments.recipes.recipe_run import run_recipe

    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"image_size": given.image_size, "epochs": given.epochs}
        weights = read_weights(given.weights)
        if given.data is None:
            print("No --data: synthetic images, which show only that the recipe runs.", file=sys.stderr)
            data = _generate(recipe, Path(folder))
            options = {name: _SYNTHETIC[name] if value is None else value for name, value in options.items()}
            weights = None if weights == "default" else weights
        else:
            reader = {} if given.magnification is None else {"magnification": given.magnification}
            data = recipe.load(given.data, **reader)
        print(data.summary(), end="\n\n")
        result = run_recipe(
            recipe,
            data,
            backbone=given.backbone,
            weights=weights,
            folds=given.folds,
            seed=given.seed,
            output=given.output,
            resume=given.resume,
            limit=given.limit,
            progress=not given.quiet,
            **options,
        )
    print(result)
    if given.output is not None:
        print(f"Report    {given.output / 'index.html'}")


def read_weights(given: Sequence[str] | None) -> Any:
    """Return the argument `weights` of `run_recipe` for the values of `--weights`.

    Example:
        >>> read_weights(None), read_weights(["none"]), read_weights(["vgg19=a.h5", "resnet50=none"])
        ('default', None, {'vgg19': 'a.h5', 'resnet50': None})
    """
    if not given:
        return "default"
    if len(given) == 1 and "=" not in given[0]:
        return _path_or_none(given[0])
    pairs = [item.partition("=") for item in given]
    if unnamed := [name for name, equals, _ in pairs if not equals]:
        raise SystemExit(f"--weights {unnamed[0]}: if given more than once, each must name its backbone: vgg19=FILE.")
    return {name: _path_or_none(value) for name, _, value in pairs}


def _path_or_none(value: str) -> str | None:
    return None if value == "none" else value


def _generate(recipe: Recipe, folder: Path) -> Dataset:
    if recipe.data == "idc":
        return recipe.load(make_idc(folder, patients=10, patches_per_patient=30))
    root = make_breakhis(folder, slides_per_subtype=4, images_per_slide=2, magnifications=(200,), image_size=(92, 140))
    from breastcls.datasets.breakhis import load_breakhis

    return load_breakhis(root)


def _import_keras_quietly() -> None:
    """Import Keras without the messages that TensorFlow prints on import; errors are raised as usual."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    stderr, devnull = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    # Compiled code prints some before any log level is read, so the stream itself is redirected.
    os.dup2(devnull, 2)
    try:
        import keras  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(devnull)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m breastcls.experiments.recipes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list the recipes")
    show = commands.add_parser("show", help="print one recipe in full, as JSON")
    show.add_argument("recipe", help="a name of `list`")
    run = commands.add_parser("run", help="reproduce a recipe with its own image-wise split and with a case-wise split")
    run.add_argument("recipe", help="a name of `list`")
    run.add_argument("--data", type=Path, help="folder of the images; default: synthetic images")
    run.add_argument("--magnification", type=int, help="BreakHis: 40, 100, 200 or 400; default: all")
    run.add_argument("--backbone", help="another backbone in the place of the recipe's own")
    run.add_argument(
        "--weights", action="append", help="none, imagenet, a weight file, or backbone=one of these; may be repeated"
    )
    run.add_argument("--image-size", type=int, help="height and width of the images, instead of the recipe's own")
    run.add_argument("--epochs", type=int, help="number of epochs, instead of the recipe's own")
    run.add_argument("--folds", type=int, help="number of folds of a cross-validation; default: one split")
    run.add_argument("--limit", type=int, help="maximum number of images")
    run.add_argument("--seed", type=int, default=0)
    run.add_argument("--output", type=Path, help="folder for runs, reports, heat-maps and the result")
    run.add_argument("--resume", action="store_true", help="continue what --output holds")
    run.add_argument("--quiet", action="store_true", help="show no progress")
    return parser


if __name__ == "__main__":
    sys.exit(main())
