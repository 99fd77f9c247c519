"""The options of an evaluation, and the call of `evaluate` that they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from breastcls.cli.data_options import read_data, take_data_options
from breastcls.cli.expressions import Expression, bc
from breastcls.cli.library_option import arguments_of, library_option
from breastcls.cli.model_argument import ENGINES, find_model, load_arguments, loaded_model, model_options
from breastcls.cli.program import Program
from breastcls.cli.scoring_options import aggregation_options, bootstrap_options, scoring_arguments

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def evaluation_options(function: Decorated) -> Decorated:
    """Add the options of an evaluation to a command."""
    options = [
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
            help="Column whose groups are scored, too; may be repeated.",
        ),
        library_option(
            "--tta",
            type=click.Choice(("dihedral",)),
            function="evaluate",
            example="dihedral",
            help="Test-time augmentation.",
        ),
        library_option("--batch-size", type=int, default=32, function="evaluate", help="Images per batch."),
        library_option(
            "--engine",
            type=click.Choice(ENGINES),
            function="evaluate",
            example="openvino",
            help="What runs a Keras model: openvino is faster on processors; auto takes it if it can.",
        ),
        model_options,
        aggregation_options,
        bootstrap_options,
        click.option("--allow-leakage", is_flag=True, help="Continue although training and test share images."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def evaluated(program: Program, model: str, test: str | None, options: dict[str, Any]) -> Expression:
    """Add the evaluation of a model or of predictions to a program, and return its name."""
    chosen = take_data_options(options)
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
            raise click.UsageError("Missing argument 'TEST': a model is scored on images.")
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
