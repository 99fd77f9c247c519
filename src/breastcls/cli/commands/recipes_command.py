"""`breastcls recipes`: published projects, listed, described and reproduced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.data_options import data_options, read_data, take_data_options
from breastcls.cli.expressions import bc
from breastcls.cli.library_option import arguments_of, library_option
from breastcls.cli.program import Program
from breastcls.cli.terminal import is_quiet


@click.command("recipes", cls=ProgramCommand, short_help="List, describe or reproduce published projects.")
@click.argument("name", required=False)
@click.argument("data", required=False)
@data_options
@library_option(
    "--backbone", function="experiments.run_recipe", example="resnet50", help="Backbone, instead of the recipe's own."
)
@library_option(
    "--weights",
    multiple=True,
    metavar="[BACKBONE=]WEIGHTS",
    example=("none",),
    help='Initial weights: "imagenet", a file or "none"; with several backbones, repeated with the name of each.',
)
@library_option(
    "--image-size",
    type=int,
    function="experiments.run_recipe",
    example=224,
    help="Height and width of the images, instead of the recipe's own.",
)
@library_option(
    "--epochs", type=int, function="experiments.run_recipe", example=10, help="Epochs, instead of the recipe's own."
)
@library_option(
    "--folds",
    type=int,
    function="experiments.run_recipe",
    example=5,
    help="Number of folds of a cross-validation, instead of one split.",
)
@library_option("--limit", type=int, function="experiments.run_recipe", example=500, help="Maximum number of images.")
@library_option("--seed", type=int, default=0, function="experiments.run_recipe", help="Seed of splits and training.")
@click.option("--output", "-o", metavar="FOLDER", help="A new folder for runs, reports, heat-maps and the result.")
@click.option("--resume", is_flag=True, help="Resume the run in --output, or start it.")
def recipes(
    program: Program, name: str | None, data: str | None, output: str | None, resume: bool, **options: Any
) -> None:
    """List the recipes of published projects, describe the recipe NAME, or reproduce it on DATA.

    A recipe is run twice: with the project's own image-wise split, and with a case-wise split.
    """
    chosen = take_data_options(options)
    if name is None or data is None:
        program.keras = False
        if name is None:
            program.show(program.assign("recipes", bc.experiments.list_recipes()))
        else:
            program.show(program.assign("recipe", bc.experiments.find_recipe(name)))
        return
    images = read_data(program, "data", data, chosen)
    arguments = arguments_of("experiments.run_recipe", options)
    if options["weights"]:
        arguments["weights"] = read_weights(options["weights"])
    if output is not None:
        arguments["output"] = output
    if resume:
        arguments["resume"] = True
    if is_quiet():
        arguments["progress"] = False
    result = program.assign("result", bc.experiments.run_recipe(name, images, **arguments), f"Running {name}.")
    program.show(result)
    if output is not None:
        program.closing.append(f"The report is {Path(output) / 'index.html'}.")


def read_weights(given: Sequence[str]) -> Any:
    """Return the argument `weights` of `run_recipe` for the values of `--weights`.

    Example:
        >>> read_weights(["none"]), read_weights(["vgg19=a.h5", "resnet50=none"])
        (None, {'vgg19': 'a.h5', 'resnet50': None})
    """
    if len(given) == 1 and "=" not in given[0]:
        return _path_or_none(given[0])
    pairs = [item.partition("=") for item in given]
    unnamed = [name for name, equals, _ in pairs if not equals]
    if unnamed:
        raise click.UsageError(
            f"--weights {unnamed[0]}: if given more than once, each must name its backbone: vgg19=FILE."
        )
    return {name: _path_or_none(value) for name, _, value in pairs}


def _path_or_none(value: str) -> str | None:
    return None if value == "none" else value
