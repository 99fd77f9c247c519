"""`breastcls evaluate`: every metric of a model or of predictions, with confidence intervals over cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.data_options import data_options
from breastcls.cli.evaluation_options import evaluated, evaluation_options, write_evaluation
from breastcls.cli.program import Program


@click.command("evaluate", cls=ProgramCommand, short_help="Evaluate a model or predictions, with confidence intervals.")
@click.argument("model")
@click.argument("test", required=False)
@data_options
@evaluation_options
@click.option(
    "--output", "-o", metavar="FOLDER", help="Folder for the evaluation as JSON, the predictions and the report."
)
def evaluate(program: Program, model: str, test: str | None, output: str | None, **options: Any) -> None:
    """Evaluate MODEL on the images TEST, with a confidence interval over cases for every metric.

    MODEL is a model file or the folder of a run; or a CSV file of predictions of any model, which needs no TEST.
    """
    result = evaluated(program, model, test, options)
    program.show(result)
    if output is not None:
        write_evaluation(program, result, Path(output))
