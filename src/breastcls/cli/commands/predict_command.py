"""`breastcls predict`: the probabilities of new images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.data_options import class_option
from breastcls.cli.expressions import bc
from breastcls.cli.library_option import arguments_of, library_option
from breastcls.cli.model_argument import load_arguments, loaded_model, model_options, prediction_options
from breastcls.cli.program import Program
from breastcls.cli.terminal import is_quiet

OUTPUTS = (".csv", ".parquet", ".json")


@click.command(
    "predict",
    cls=ProgramCommand,
    short_help="Classify new images: files, folders or a table.",
    resumption="If it writes a .csv or .parquet file, the same command continues.",
)
@click.argument("model")
@click.argument("images", nargs=-1, required=True)
@click.option("--output", "-o", metavar="FILE", help="Write the predictions to this file: .csv, .parquet or .json.")
@class_option(table="other-models")
@model_options
@library_option(
    "--on-error",
    type=click.Choice(("raise", "skip")),
    default="raise",
    function="predict",
    help='With "skip", images that cannot be read are left out and listed.',
)
@prediction_options("predict")
@click.option("--root", type=click.Path(file_okay=False), help="Tables: the folder that relative paths refer to.")
def predict(
    program: Program, model: str, images: tuple[str, ...], output: str | None, root: str | None, **options: Any
) -> None:
    """Predict the class probabilities of IMAGES: image files, folders with their subfolders, or one table of files.

    MODEL is a model file or the folder of a run. No labels are needed. CSV and Parquet files are written in parts: any
    number of images can be predicted, and the same command continues after an interruption.
    """
    from breastcls.datasets.data_format import is_table

    if output is not None and not output.lower().endswith(OUTPUTS):
        raise click.UsageError(f"--output {output}: expected a name that ends in {', '.join(OUTPUTS)}.")
    loaded = loaded_model(program, model, load_arguments(options, options["class_names"]))
    x: Any = images[0] if len(images) == 1 else list(images)
    if len(images) == 1 and is_table(images[0]):
        reading = bc.load_table(images[0], **({} if root is None else {"root": root}))
        x = program.assign("images", reading, f"Reading the table {images[0]}.")
    elif root is not None:
        raise click.UsageError("--root is for a table of images; IMAGES are files or folders.")
    arguments = {**arguments_of("predict", options), **({"progress": False} if is_quiet() else {})}
    if output is not None and output.lower().endswith((".csv", ".parquet")):
        # Written in parts, so that any number of images can be predicted, and a killed call continues.
        files = [x] if isinstance(x, str) and not Path(x).is_dir() else x
        written = bc.predictions.predict_to_file(loaded, files, output, **arguments)
        program.show(program.assign("predictions", written, "Predicting."))
        program.files["predictions"] = output
        return
    predictions = program.assign("predictions", bc.predict(loaded, x, **arguments), "Predicting.")
    program.show(predictions)
    if output is not None:
        program.do(predictions.to_json(output))
        program.files["predictions"] = output
