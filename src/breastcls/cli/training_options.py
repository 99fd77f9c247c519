"""The options of a model and of its training, and the arguments of `build_model` and `fit` that they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from breastcls.cli.expressions import Expression, bc
from breastcls.cli.library_option import arguments_of, library_option, option_group


def _model_options() -> list[Callable[[Any], Any]]:
    table: dict[str, Any] = {"table": "model"}
    built: dict[str, Any] = {"function": "build_model", **table}
    return [
        library_option(
            "--backbone", default="resnet50", help="The backbone; `breastcls backbones` lists them.", **table
        ),
        library_option(
            "--weights",
            default="default",
            show_default=False,
            help='Initial weights: "imagenet" (downloaded unless present), a file, or "none" for random ones. The '
            "default is ImageNet weights where they are published.",
            **built,
        ),
        library_option(
            "--image-size", type=int, example=224, help="Height and width of the model's input, in pixels.", **built
        ),
        library_option(
            "--head",
            type=click.Choice(("linear", "mlp", "flatten-mlp")),
            example="linear",
            help="The layers after the backbone.",
            **built,
        ),
        library_option(
            "--dropout", type=float, example=0.2, help="Dropout rate of the head, from 0 to below 1.", **built
        ),
        library_option(
            "--backbone-option",
            multiple=True,
            metavar="NAME=VALUE",
            example=("alpha=0.25",),
            help="An option of the backbone, such as alpha=0.25; may be repeated.",
            **table,
        ),
    ]


def _fit_options() -> list[Callable[[Any], Any]]:
    table: dict[str, Any] = {"table": "training"}
    fit: dict[str, Any] = {"function": "fit", **table}
    schedule: dict[str, Any] = {"function": "training.EpochSchedule", **table}
    images: dict[str, Any] = {"function": "training.Preprocessing", **table}
    selection: dict[str, Any] = {"function": "training.ModelSelection", **table}
    devices: dict[str, Any] = {"function": "training.Devices", **table}
    return [
        library_option("--epochs", type=int, default=20, help="Number of epochs.", **fit),
        library_option("--batch-size", type=int, default=32, help="Images per step.", **fit),
        library_option(
            "--learning-rate",
            type=float,
            example=0.001,
            help="The highest learning rate of the first phase.  [default: 0.001]",
            **table,
        ),
        library_option(
            "--decay",
            type=click.Choice(("constant", "cosine")),
            default="constant",
            help="Decay of the learning rate over the epochs of a phase.",
            **schedule,
        ),
        library_option(
            "--warmup-epochs",
            type=float,
            default=0.0,
            help="Epochs over which the learning rate rises to its highest value.",
            **schedule,
        ),
        library_option(
            "--optimizer", default="adam", help="Optimizer: adam, adamw, sgd, rmsprop, adagrad, nadam or lion.", **fit
        ),
        library_option(
            "--loss",
            type=click.Choice(("cross-entropy", "focal")),
            default="cross-entropy",
            help="The loss function.",
            **fit,
        ),
        library_option(
            "--fine-tune",
            default="auto",
            help='Which part of the backbone is trained: "auto" or "all" (the whole backbone, after the head), '
            '"last-stage", a number of last stages, or "none".',
            **table,
        ),
        library_option(
            "--frozen-head",
            type=click.Choice(("optimizer", "lbfgs")),
            default="optimizer",
            help='How the head is trained on the frozen backbone; "lbfgs" fits it as a logistic regression.',
            **fit,
        ),
        library_option(
            "--augment",
            default="standard",
            help="The augmentation policy: none, dihedral, classic, cancernet, standard, stain, strong, mixup, cutmix, "
            "fmix, randaugment, augmix, gridmask or channel-shuffle.",
            **fit,
        ),
        library_option(
            "--sampling",
            type=click.Choice(("class-balanced", "case-balanced")),
            example="class-balanced",
            help="Draw every class or case equally often.",
            **fit,
        ),
        library_option(
            "--class-weight",
            type=click.Choice(("balanced", "none")),
            default="balanced",
            help="Weights of the classes in the loss.",
            **fit,
        ),
        library_option(
            "--resize",
            type=click.Choice(("stretch", "crop", "pad")),
            example="stretch",
            help="How images are resized to the input size of the model.",
            **images,
        ),
        library_option(
            "--stain",
            example="macenko",
            help="Stain normalizer, which is fitted to the training images: macenko, reinhard or vahadane.",
            **images,
        ),
        library_option(
            "--monitor",
            default="val_case_balanced_accuracy",
            help="The validation metric by which the epoch is selected.",
            **selection,
        ),
        library_option(
            "--patience", type=int, example=8, help="Stop after this number of epochs without improvement.", **selection
        ),
        library_option(
            "--precision",
            type=click.Choice(("auto", "float32", "bfloat16", "float16")),
            default="auto",
            help="Numerical precision.",
            **devices,
        ),
        library_option(
            "--strategy",
            type=click.Choice(("mirrored",)),
            example="mirrored",
            help='Distribution strategy: "mirrored" uses all GPUs of this machine.',
            **devices,
        ),
    ]


training_options = option_group(*_model_options(), *_fit_options())
"""Adds the options of a model and of its training to a command."""


def built_model(given: Mapping[str, Any], classes: Expression, seed: int) -> Expression:
    """Return the call of `build_model` that the options are."""
    arguments = arguments_of("build_model", given)
    if arguments.get("weights") == "none":
        arguments["weights"] = None
    for text in given["backbone_option"]:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{text!r}: expected NAME=VALUE.", param_hint="--backbone-option")
        arguments[name] = _value(value)
    return bc.build_model(given["backbone"], classes=classes, seed=seed, **arguments)


def fit_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `fit` that the options are, those with their defaults left out."""
    arguments = {name: None if value == "none" else value for name, value in arguments_of("fit", given).items()}
    schedule = arguments_of("training.EpochSchedule", given)
    rate = given["learning_rate"]
    if schedule:
        arguments["learning_rate"] = bc.training.EpochSchedule(**({} if rate is None else {"peak": rate}), **schedule)
    elif rate is not None:
        arguments["learning_rate"] = rate
    depth = given["fine_tune"]
    if depth != "auto":
        arguments["fine_tune"] = False if depth == "none" else int(depth) if depth.isdecimal() else depth
    groups = {
        "preprocessing": "training.Preprocessing",
        "selection": "training.ModelSelection",
        "devices": "training.Devices",
    }
    for name, group in groups.items():
        options = arguments_of(group, given)
        if options:
            arguments[name] = getattr(bc.training, group.rpartition(".")[2])(**options)
    return arguments


def _value(text: str) -> Any:
    """Return the number, truth value or text that an option of a backbone is given as, or a tuple of them.

    Example:
        >>> _value("0.25"), _value("16,32"), _value("true"), _value("small")
        (0.25, (16, 32), True, 'small')
    """
    if "," in text:
        return tuple(map(_value, text.split(",")))
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
