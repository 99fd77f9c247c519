"""`breastcls compare`: the differences of two or more models on the same images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.data_options import data_options, read_data, take_data_options
from breastcls.cli.expressions import bc
from breastcls.cli.library_option import arguments_of, library_option
from breastcls.cli.model_argument import find_model
from breastcls.cli.program import Program
from breastcls.cli.scoring_options import aggregation_options, bootstrap_options, scoring_arguments


@click.command("compare", cls=ProgramCommand, short_help="Compare models on the same images.")
@click.argument("models", nargs=-1, required=True)
@click.option("--test", metavar="DATA", help="The test images; needed for model files.")
@data_options
@library_option(
    "--metric",
    default="balanced_accuracy",
    function="compare",
    help="The metric of the verdicts; choose it beforehand.",
)
@aggregation_options
@bootstrap_options
@click.option("--output", "-o", metavar="FOLDER", help="Folder for the comparison as JSON and HTML.")
def compare(program: Program, models: tuple[str, ...], test: str | None, output: str | None, **options: Any) -> None:
    """Compare two or more MODELS: model files, folders of runs, or CSV files of predictions of the same images.

    The name of a model is that of its file or folder, unless it is given as NAME=FILE.
    """
    chosen = take_data_options(options)
    given = _name_models(models)
    compared: dict[str, Any] = {}
    for number, (name, path) in enumerate(given.items()):
        if path.lower().endswith((".csv", ".csv.gz")):
            reading = bc.Predictions.from_csv(path)
            compared[name] = program.assign(f"predictions_{number + 1}", reading, f"Reading the predictions {path}.")
        else:
            compared[name] = find_model(path)
    images = [] if test is None else [read_data(program, "test", test, chosen)]
    arguments = {**arguments_of("compare", options), **scoring_arguments(options)}
    result = program.assign("result", bc.compare(compared, *images, **arguments), "Comparing.")
    program.show(result)
    if output is not None:
        folder = Path(output)
        program.files["comparison"] = str(folder / "comparison.json")
        program.do(result.to_json(folder / "comparison.json"))
        program.write("report", result.to_html(folder / "comparison.html"), "Writing the report.")


def _name_models(models: tuple[str, ...]) -> dict[str, str]:
    """Return the path of each model by its name.

    Example:
        >>> _name_models(("runs/a/model.keras", "runs/b", "big=c.csv", "d.csv"))
        {'a': 'runs/a/model.keras', 'b': 'runs/b', 'big': 'c.csv', 'd': 'd.csv'}
    """
    named: dict[str, str] = {}
    for text in models:
        name, equals, path = text.partition("=")
        if not equals or not name or "/" in name:
            path = text
            file = Path(text)
            # The files of a run are named alike, and their folder is the name of the run.
            name = file.parent.name if file.stem in ("model", "predictions") and file.parent.name else file.stem
        if name in named:
            raise click.UsageError(f"Two models are named {name!r}; name them by NAME=FILE.")
        named[name] = path
    return named
