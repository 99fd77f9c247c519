"""The options of confidence intervals and of the aggregation to slides and cases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from breastcls.cli.expressions import bc
from breastcls.cli.library_option import arguments_of, library_option, option_group

_BOOTSTRAP: dict[str, Any] = {"function": "intervals.Bootstrap", "table": "intervals"}
_AGGREGATION: dict[str, Any] = {"function": "predictions.Aggregation", "table": "intervals"}

bootstrap_options = option_group(
    library_option("--resamples", type=int, default=2000, help="Number of bootstrap resamples.", **_BOOTSTRAP),
    library_option("--confidence", type=float, default=0.95, help="Confidence level, between 0 and 1.", **_BOOTSTRAP),
)
"""Adds the options of confidence intervals to a command."""

aggregation_options = option_group(
    library_option(
        "--level",
        type=click.Choice(("image", "slide", "case")),
        default="image",
        help="What is scored: images, or their aggregation to slides or cases.",
        **_AGGREGATION,
    ),
    library_option(
        "--aggregation",
        type=click.Choice(("mean", "mean-logit", "majority", "maximum")),
        default="mean",
        argument="method",
        help="How the images of a slide or case are aggregated.",
        **_AGGREGATION,
    ),
)
"""Adds the options of the aggregation to a command."""


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
