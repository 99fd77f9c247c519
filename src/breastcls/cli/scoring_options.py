"""The options of confidence intervals and of the aggregation to slides and cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from breastcls.cli.expressions import bc
from breastcls.cli.library_option import arguments_of, library_option

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def bootstrap_options(function: Decorated) -> Decorated:
    """Add the options of confidence intervals to a command."""
    bootstrap: dict[str, Any] = {"function": "intervals.Bootstrap", "table": "intervals"}
    options = (
        library_option(
            "--resamples", type=int, default=2000, help="Resamples of the confidence intervals.", **bootstrap
        ),
        library_option(
            "--confidence", type=float, default=0.95, help="Confidence of the intervals, in 0..1.", **bootstrap
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def aggregation_options(function: Decorated) -> Decorated:
    """Add the options of the aggregation to a command."""
    aggregation: dict[str, Any] = {"function": "predictions.Aggregation", "table": "intervals"}
    options = (
        library_option(
            "--level",
            type=click.Choice(("image", "slide", "case")),
            default="image",
            help="What is scored: images, or their aggregation to slides or cases.",
            **aggregation,
        ),
        library_option(
            "--aggregation",
            type=click.Choice(("mean", "mean-logit", "majority", "maximum")),
            default="mean",
            argument="method",
            help="How the images of a slide or case are aggregated.",
            **aggregation,
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def scoring_arguments(given: Mapping[str, Any], *, aggregated: bool = True) -> dict[str, Any]:
    """Return the arguments `bootstrap` and `aggregation` that the options are, those with their defaults left out."""
    arguments: dict[str, Any] = {}
    bootstrap = arguments_of("intervals.Bootstrap", given)
    if bootstrap:
        arguments["bootstrap"] = bc.intervals.Bootstrap(**bootstrap)
    aggregation = arguments_of("predictions.Aggregation", given) if aggregated else {}
    if aggregation:
        arguments["aggregation"] = bc.predictions.Aggregation(**aggregation)
    return arguments
