"""A model on the command line: a file, or the folder of a run; and how it is loaded and run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from breastcls.cli.expressions import Expression, bc
from breastcls.cli.library_option import arguments_of, library_option, option_group
from breastcls.cli.program import Program


def find_model(path: str) -> str:
    """Return the model file of the folder of a run, and any other path unchanged."""
    inside = Path(path) / "model.keras"
    return str(inside) if inside.is_file() else path


_LOAD: dict[str, Any] = {"function": "load_model", "table": "other-models"}

model_options = option_group(
    library_option(
        "--scaling",
        example="0-1",
        help='The input scaling that the network expects: "0-1" (x/255), "-1-1", "imagenet", "caffe" or a factor.',
        **_LOAD,
    ),
    library_option(
        "--outputs",
        type=click.Choice(("probabilities", "logits")),
        default="probabilities",
        help="What the network returns.",
        **_LOAD,
    ),
    library_option(
        "--input-size",
        type=int,
        argument="image_size",
        example=224,
        help="Height and width of the images, for a network that takes any size.",
        **_LOAD,
    ),
    library_option(
        "--safe-mode/--no-safe-mode",
        default=True,
        help="Refuse a file that contains code; switch it off only for files whose origin you trust.",
        **_LOAD,
    ),
)
"""Adds the options of a model that another library has trained."""


def prediction_options(function: str) -> Callable[[Any], Any]:
    """Return a decorator that adds the options of the predictions to a command, as arguments of a function."""
    return option_group(
        library_option(
            "--tta",
            type=click.Choice(("dihedral",)),
            function=function,
            example="dihedral",
            help="Test-time augmentation.",
        ),
        library_option(
            "--engine",
            type=click.Choice(("keras", "openvino", "onnxruntime", "auto")),
            function=function,
            example="openvino",
            help="Inference engine of a Keras model: openvino is faster on CPUs; auto uses it where it can.",
        ),
        library_option("--batch-size", type=int, default=32, function=function, help="Images per batch."),
    )


def load_arguments(given: Mapping[str, Any], class_names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the arguments of `load_model` besides the path, those with their defaults left out.

    Args:
        given: The values of all options of the command, with those of `model_options`.
        class_names: The class names, for a model without a card.
    """
    arguments = arguments_of("load_model", given)
    if "scaling" in arguments:
        arguments["scaling"] = _number_or_name(arguments["scaling"])
    return {**({"classes": list(class_names)} if class_names else {}), **arguments}


def loaded_model(program: Program, path: str, arguments: Mapping[str, Any]) -> Expression:
    """Add the loading of a model to a program, and return its name."""
    return program.assign("model", bc.load_model(find_model(path), **arguments), f"Loading {path}.")


def _number_or_name(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
