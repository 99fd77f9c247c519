"""The settings of an evaluation in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation


def percent_of(evaluation: Evaluation) -> str:
    """Return the confidence of the intervals, such as "95%"."""
    return f"{100 * evaluation.settings['bootstrap']['confidence']:g}%"


def unit_of(evaluation: Evaluation) -> str:
    """Return what was scored: "image", "slide" or "case"."""
    return str(evaluation.settings["aggregation"]["level"])
