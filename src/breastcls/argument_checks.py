"""Checks of single values of arguments: whole numbers, numbers and choices."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeGuard

import numpy as np


def check_count(
    name: str,
    value: Any,
    least: int = 1,
    *,
    most: int | None = None,
    optional: bool = False,
    error: type[Exception],
) -> None:
    """Raise `error` unless a value is a whole number from `least` to `most`, or None where that is allowed.

    Example:
        >>> check_count("epochs", 0, error=ValueError)
        Traceback (most recent call last):
        ValueError: epochs is 0; expected a whole number of at least 1.
    """
    if not (value is None and optional) and not is_count(value, least, most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise error(f"{name} is {value!r}; expected a whole number {limits}{', or None' if optional else ''}.")


def check_number(
    name: str,
    value: Any,
    expected: str,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    most: float = math.inf,
    error: type[Exception],
) -> None:
    """Raise `error` unless a value is a finite number within the bounds, which `expected` states in words."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    # The bounds are beyond the range of float32; a whole number beyond the range of float is not finite either.
    plain = value.item() if isinstance(value, np.number) else value
    if not number or not -1e308 <= plain <= 1e308 or plain <= above or not least <= plain <= most:
        raise error(f"{name} is {value!r}; expected {expected}.")


def check_choice(name: str, value: Any, choices: Iterable[Any], *, error: type[Exception]) -> None:
    """Raise `error` unless a value is one of the choices, which are strings or None."""
    known = tuple(choices)
    if not isinstance(value, str | None) or value not in known:
        raise error(f"{name} is {value!r}; expected one of {', '.join(map(repr, known))}.")


def is_count(value: Any, least: int = 1, most: int | None = None) -> TypeGuard[int]:
    """Return whether a value is a whole number from `least` to `most`; a bool is none."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and bool(value >= least) and (most is None or bool(value <= most))
