"""`breastcls report`: the report of a model or of predictions as one HTML file."""

from __future__ import annotations

from typing import Any

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.data_options import data_options
from breastcls.cli.evaluation_options import evaluated, evaluation_options
from breastcls.cli.library_option import arguments_of, library_option
from breastcls.cli.program import Program


@click.command("report", cls=ProgramCommand, short_help="Write the report of a model or of predictions as HTML.")
@click.argument("model")
@click.argument("test", required=False)
@data_options
@evaluation_options
@library_option("--title", function="evaluation.write_report", example="My model", help="Heading of the report.")
@library_option(
    "--thumbnails",
    type=int,
    default=8,
    function="evaluation.write_report",
    help="Number of wrongly, and of correctly, classified images that are shown.",
)
@library_option("--output", "-o", default="report.html", metavar="HTML", help="File for the report.")
def report(program: Program, model: str, test: str | None, output: str, **options: Any) -> None:
    """Evaluate MODEL on the images TEST, or saved predictions, and write the report as one HTML file.

    MODEL is a model file or the folder of a run; or a CSV file of predictions, which needs no TEST, such as the
    predictions.csv of `train` and of `evaluate --output`. A saved evaluation (evaluation.json) cannot be read: the
    metrics are computed again from the predictions.
    """
    result = evaluated(program, model, test, options)
    arguments = arguments_of("evaluation.write_report", options)
    program.write("report", result.to_html(output, **arguments), "Writing the report.")
    program.closing.append("Open it in a browser; it needs no network.")
