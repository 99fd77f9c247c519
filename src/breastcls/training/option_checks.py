"""Checks of single values of arguments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from breastcls.errors import BreastclsError, TrainingError


def check_count(
    name: str, value: Any, least: int = 1, *, optional: bool = False, error: type[BreastclsError] = TrainingError
) -> None:
    """Raise an error unless a value is a whole number of at least `least`, or None where that is allowed."""
    if not (value is None and optional) and not is_count(value, least):
        none = ", or None" if optional else ""
        raise error(f"{name} must be a whole number of at least {least}{none}; found {value!r}.")


def check_number(
    name: str, value: Any, expected: str, *, above: float = -math.inf, least: float = -math.inf, most: float = math.inf
) -> None:
    """Raise a TrainingError unless a value is a finite number within the bounds."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    # A whole number beyond the range of float is not finite either.
    if not number or not -1e308 <= value <= 1e308 or value <= above or not least <= value <= most:
        raise TrainingError(f"{name} must be {expected}; found {value!r}.")


def check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Raise a TrainingError unless a value is one of the choices."""
    if not isinstance(value, str | None) or value not in choices:
        raise TrainingError(f"{name} is {value!r}; expected one of {', '.join(map(repr, choices))}.")


def is_count(value: Any, least: int = 1) -> bool:
    """Return whether a value is a whole number of at least `least`."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)
