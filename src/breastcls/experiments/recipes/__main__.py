"""Run published projects again from the command line.

    python -m breastcls.experiments.recipes list
    python -m breastcls.experiments.recipes show vgg16-breakhis
    python -m breastcls.experiments.recipes run vgg16-breakhis --data BreaKHis_v1 --output runs/vgg16
    python -m breastcls.experiments.recipes run cancernet-idc                     # synthetic images, to see it run

Without network pass `--weights none`, or the path of a weight file. `--weights vgg19=FILE --weights resnet50=FILE`
gives each backbone of a recipe its own.
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

# Synthetic images serve to see a recipe run: as many as show both sides, as small as they can be.
_DRAWN: dict[str, Any] = {"epochs": 2, "image_size": 48}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, do what it says, and return 0, or 1 with the reason on standard error."""
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
    _start_keras_quietly()
    from breastcls.experiments.recipes.recipe_run import run_recipe

    with tempfile.TemporaryDirectory() as drawn:
        options: dict[str, Any] = {"image_size": given.image_size, "epochs": given.epochs}
        weights = read_weights(given.weights)
        if given.data is None:
            print("No --data: synthetic images, which show that the recipe runs and nothing else.", file=sys.stderr)
            data = _draw(recipe, Path(drawn))
            options = {name: _DRAWN[name] if value is None else value for name, value in options.items()}
            weights = None if weights == "default" else weights
        else:
            reader = {} if given.magnification is None else {"magnification": given.magnification}
            data = recipe.load(given.data, **reader)
        print(data.summary(), end="\n\n")
        result = run_recipe(
            recipe,
            data,
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
    """Turn what stands after `--weights` into what `run_recipe` takes.

    Example:
        >>> read_weights(None), read_weights(["none"]), read_weights(["vgg19=a.h5", "resnet50=none"])
        ('default', None, {'vgg19': 'a.h5', 'resnet50': None})
    """
    if not given:
        return "default"
    if len(given) == 1 and "=" not in given[0]:
        return _word(given[0])
    pairs = [item.partition("=") for item in given]
    if unnamed := [name for name, equals, _ in pairs if not equals]:
        raise SystemExit(f"--weights {unnamed[0]}: given more than once, each must name its backbone: vgg19=FILE.")
    return {name: _word(value) for name, _, value in pairs}


def _word(value: str) -> str | None:
    return None if value == "none" else value


def _draw(recipe: Recipe, folder: Path) -> Dataset:
    if recipe.data == "idc":
        return recipe.load(make_idc(folder, patients=10, patches_per_patient=30))
    root = make_breakhis(folder, slides_per_subtype=4, images_per_slide=2, magnifications=(200,), image_size=(92, 140))
    from breastcls.datasets.breakhis import load_breakhis

    return load_breakhis(root)


def _start_keras_quietly() -> None:
    """Import Keras with everything that TensorFlow says while it starts left out; errors are raised as ever."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    # Some of it comes from compiled code before any log level is read, so the stream itself is turned away.
    os.dup2(nowhere, 2)
    try:
        import keras  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m breastcls.experiments.recipes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the recipes")
    show = commands.add_parser("show", help="print one recipe in full, as JSON")
    show.add_argument("recipe", help="a name of `list`")
    run = commands.add_parser("run", help="do a recipe again, as its authors did it and over cases")
    run.add_argument("recipe", help="a name of `list`")
    run.add_argument("--data", type=Path, help="folder of the images; synthetic ones are drawn without it")
    run.add_argument("--magnification", type=int, help="BreakHis: 40, 100, 200 or 400; all by default")
    run.add_argument(
        "--weights", action="append", help="none, imagenet, a weight file, or backbone=one of these; may be repeated"
    )
    run.add_argument("--image-size", type=int, help="side of the images, instead of the recipe's own")
    run.add_argument("--epochs", type=int, help="instead of the recipe's own")
    run.add_argument("--folds", type=int, help="cross-validate over so many folds; one split by default")
    run.add_argument("--limit", type=int, help="use at most so many images")
    run.add_argument("--seed", type=int, default=0)
    run.add_argument("--output", type=Path, help="folder for runs, reports, heat-maps and the result")
    run.add_argument("--resume", action="store_true", help="go on with what --output holds")
    run.add_argument("--quiet", action="store_true", help="show no progress")
    return parser


if __name__ == "__main__":
    sys.exit(main())
