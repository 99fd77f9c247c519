"""`breastcls cross-validate`: a model trained and tested on case-wise folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.data_options import data_options, read_data, take_data_options
from breastcls.cli.expressions import bc, function_of_nothing
from breastcls.cli.library_option import arguments_of, library_option
from breastcls.cli.program import Program
from breastcls.cli.scoring_options import bootstrap_options, scoring_arguments
from breastcls.cli.terminal import is_quiet
from breastcls.cli.training_options import built_model, fit_arguments, training_options


class _Folds(click.ParamType):  # type: ignore[type-arg]
    """A number of folds, or "leave-one-out"."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or "leave-one-out"."""
        return value if value == "leave-one-out" else click.INT.convert(value, param, ctx)


@click.command("cross-validate", cls=ProgramCommand, short_help="Train and test a model on case-wise folds.")
@click.argument("data")
@data_options
@library_option(
    "--folds", type=_Folds(), default=5, function="cross_validate", help='Number of folds, or "leave-one-out".'
)
@library_option(
    "--by",
    default="case",
    function="cross_validate",
    help='The unit that is kept in one fold: "case", or a column such as centre; "slide" and "image" cause leaks.',
)
@library_option(
    "--val-fraction",
    type=float,
    default=0.0,
    function="cross_validate",
    help="Share of each training part that is split off for validation.",
)
@library_option(
    "--repeats",
    type=int,
    default=1,
    function="cross_validate",
    help="Number of cross-validations, each with other folds.",
)
@training_options
@bootstrap_options
@library_option("--seed", type=int, default=0, function="cross_validate", help="Seed of folds, weights and training.")
@library_option(
    "--output",
    "-o",
    default="runs/cross-validation",
    argument="run_dir",
    metavar="FOLDER",
    help="A new folder for the folds, the result and the report.",
)
@click.option("--resume", is_flag=True, help="Resume the run in --output, or start it.")
@click.option("--allow-leakage", is_flag=True, help="Continue although folds share images.")
def cross_validate(
    program: Program, data: str, output: str, seed: int, resume: bool, allow_leakage: bool, **options: Any
) -> None:
    """Train a new model for each fold of DATA, and predict each image with the model that was not trained on it."""
    images = read_data(program, "data", data, take_data_options(options))
    flags = {"resume": resume, "allow_leakage": allow_leakage}
    arguments = {
        **arguments_of("cross_validate", {**options, "seed": seed}),
        **fit_arguments({**options, "seed": 0}),
        **scoring_arguments(options, aggregated=False),
        "run_dir": output,
        **{name: True for name, given in flags.items() if given},
        **({"progress": False} if is_quiet() else {}),
    }
    build = function_of_nothing(built_model(options, images.classes, seed))
    result = program.assign(
        "result", bc.cross_validate(build, images, **arguments), "Training and testing on each fold."
    )
    program.show(result)
    program.write("report", result.to_html(Path(output) / "report.html"), "Writing the report.")
