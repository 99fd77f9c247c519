"""`breastcls train`: a model, its training record, its evaluation and the report, in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.data_options import data_options, read_data, take_data_options
from breastcls.cli.evaluation_options import write_evaluation
from breastcls.cli.expressions import Expression, bc
from breastcls.cli.library_option import library_option
from breastcls.cli.parts import part_fractions
from breastcls.cli.program import Program
from breastcls.cli.scoring_options import bootstrap_options, scoring_arguments
from breastcls.cli.terminal import is_quiet
from breastcls.cli.training_options import built_model, fit_arguments, training_options


@click.command("train", cls=ProgramCommand, short_help="Train a model, evaluate it and write a report.")
@click.argument("data")
@click.option("--val", metavar="DATA", help="The validation images, a folder or a table.")
@click.option("--test", metavar="DATA", help="The test images, a folder or a table.")
@data_options
@library_option(
    "--val-fraction", type=float, default=0.1, help="Without --val: share of DATA that is split off for validation."
)
@library_option(
    "--test-fraction",
    type=float,
    default=0.2,
    help="Without --val and --test: share of DATA that is split off for the test.",
)
@training_options
@bootstrap_options
@library_option("--seed", type=int, default=0, function="fit", help="Seed of split, weights and training.")
@library_option(
    "--output",
    "-o",
    argument="run_dir",
    default="runs/train",
    metavar="FOLDER",
    help="A new folder for the run, the model and the report.",
)
@click.option("--resume", is_flag=True, help="Resume the run in --output, or start it.")
@click.option("--allow-leakage", is_flag=True, help="Continue although the parts share cases or images.")
def train(
    program: Program, data: str, val: str | None, test: str | None, output: str, seed: int, resume: bool, **options: Any
) -> None:
    """Train a model on DATA, a folder or a table, evaluate it on the test images and write a report.

    Without --val and --test, DATA is split by case into training, validation and test images. With --test alone,
    it is split into training and validation images. With --val alone, it is the training set, and the model is not
    evaluated.
    """
    parts = _read_parts(program, data, val, test, seed, options)
    fitted = fit_arguments({**options, "seed": seed})
    leakage = {"allow_leakage": True} if options["allow_leakage"] else {}
    logging = {"logging": bc.training.Logging(progress=False)} if is_quiet() else {}
    resumed = {"resume": True} if resume else {}
    fitting = [parts[name] for name in ("train", "val") if name in parts]
    model = program.assign("model", built_model(options, parts["train"].classes, seed), "Building the model.")
    run = program.assign(
        "run",
        bc.fit(model, *fitting, **fitted, **leakage, run_dir=output, **resumed, **logging),
        "Training.",
        accept=_stop_if_interrupted,
    )
    program.show(run)
    folder = Path(output)
    program.files["model"] = str(folder / "model.keras")
    if "test" in parts:
        seen = parts["train"] + parts["val"] if "val" in parts else parts["train"]
        scoring = scoring_arguments(options, aggregated=False)
        result = program.assign(
            "result",
            bc.evaluate(model, parts["test"], train=seen, **leakage, **scoring),
            "Evaluating on the test images.",
        )
        program.show(result)
        write_evaluation(program, result, folder)


def _read_parts(
    program: Program, data: str, val: str | None, test: str | None, seed: int, options: dict[str, Any]
) -> dict[str, Expression]:
    """Add the reading, and where needed the splitting, of the images, and return the parts by name."""
    chosen = take_data_options(options)
    val_fraction, test_fraction = options["val_fraction"], options["test_fraction"]
    split = val is None
    images = read_data(program, "data" if split else "train", data, chosen)
    parts = {}
    if split:
        names, fractions = part_fractions(val_fraction, 0.0 if test is not None else test_fraction)
        made = program.unpack(names, images.split(fractions, seed=seed), "Splitting the images by case.")
        parts = dict(zip(names, made, strict=True))
    else:
        parts = {"train": images, "val": read_data(program, "val", str(val), chosen)}
    if test is not None:
        parts["test"] = read_data(program, "test", test, chosen)
    return parts


def _stop_if_interrupted(run: Any) -> None:
    """End the command where `fit` was interrupted: it has returned what was reached."""
    if run.stopped == "interrupted":
        raise KeyboardInterrupt
