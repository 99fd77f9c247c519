"""The options of an evaluation, the call of `evaluate` with them, and the files of its result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from breastcls.cli.data_options import read_data, take_data_options
from breastcls.cli.expressions import Expression, bc
from breastcls.cli.library_option import arguments_of, library_option, option_group
from breastcls.cli.model_argument import (
    find_model,
    load_arguments,
    loaded_model,
    model_options,
    prediction_options,
)
from breastcls.cli.program import Program
from breastcls.cli.scoring_options import aggregation_options, bootstrap_options, scoring_arguments

evaluation_options = option_group(
    click.option("--train", metavar="DATA", help="The images that the model was trained on, to find leaks."),
    library_option(
        "--threshold",
        type=float,
        function="evaluate",
        example=0.5,
        help="Two classes: predict the positive class from this probability.  [default: that of the model]",
    ),
    library_option(
        "--subgroup",
        "subgroups",
        multiple=True,
        function="evaluate",
        metavar="COLUMN",
        example=("centre",),
        help="Column whose groups are also evaluated separately; may be repeated.",
    ),
    prediction_options("evaluate"),
    model_options,
    aggregation_options,
    bootstrap_options,
    click.option("--allow-leakage", is_flag=True, help="Continue although training and test share cases or images."),
)
"""Adds the options of an evaluation to a command."""


def evaluated(program: Program, model: str, test: str | None, options: dict[str, Any]) -> Expression:
    """Add the evaluation of a model or of predictions to a program, and return its name."""
    chosen = take_data_options(options)
    if model.lower().endswith(".json"):
        raise click.UsageError(
            f"{model} is a JSON file: expected a model file, the folder of a run, or a CSV file of predictions, such "
            "as the predictions.csv that is written beside an evaluation.json."
        )
    predicted = model.lower().endswith((".csv", ".csv.gz"))
    if predicted:
        root = {"root": chosen["root"]} if chosen["root"] else {}
        classes = {"classes": list(chosen["class_names"])} if chosen["class_names"] else {}
        scored: Any = program.assign(
            "predictions", bc.Predictions.from_csv(model, **root, **classes), f"Reading the predictions {model}."
        )
    else:
        arguments = load_arguments(options, chosen["class_names"])
        scored = loaded_model(program, model, arguments) if arguments else find_model(model)
        if test is None:
            raise click.UsageError("Missing argument 'TEST': a model is evaluated on images.")
    images = [] if test is None else [read_data(program, "test", test, chosen)]
    named: dict[str, Any] = {}
    if options["train"] is not None:
        named["train"] = read_data(program, "train", options["train"], chosen)
    if options["allow_leakage"]:
        named["allow_leakage"] = True
    named |= {**arguments_of("evaluate", options), **scoring_arguments(options)}
    if "subgroups" in named:
        named["subgroups"] = list(named["subgroups"])
    return program.assign("result", bc.evaluate(scored, *images, **named), "Evaluating.")


def write_evaluation(program: Program, result: Expression, folder: Path) -> None:
    """Add the writing of an evaluation: the metrics as JSON, the predictions as CSV, and the report."""
    program.files["evaluation"] = str(folder / "evaluation.json")
    program.write("predictions", result.predictions.to_csv(folder / "predictions.csv"))
    program.do(result.to_json(folder / "evaluation.json"))
    program.write("report", result.to_html(folder / "report.html"), "Writing the report.")
