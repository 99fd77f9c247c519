"""Validation of the arguments of `make_breakhis` and `make_idc`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from breastcls.argument_checks import check_count
from breastcls.datasets.synthetic.tissue import PIXEL_SIZES
from breastcls.errors import DatasetError


def as_count(argument: str, value: Any, least: int, most: int | None = None) -> int:
    """Return `value` as an int after checking its type and range.

    Raises:
        DatasetError: If it is not an integer, or out of range.
    """
    check_count(argument, value, least, most=most, error=DatasetError)
    return int(value)


def check_frame_size(value: object) -> tuple[int, int]:
    """Return `value` as (height, width), each 32 to 4096 pixels.

    Raises:
        DatasetError: If it is something else.
    """
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise DatasetError(f"image_size is {value!r}: give (height, width) in pixels, for example (460, 700).")
    return as_count("The height in image_size", value[0], 32, 4096), as_count(
        "The width in image_size", value[1], 32, 4096
    )


def check_magnifications(value: object) -> tuple[int, ...]:
    """Return the distinct magnifications in ascending order.

    Raises:
        DatasetError: If there are none, or one is not 40, 100, 200 or 400.
    """
    known = ", ".join(map(str, PIXEL_SIZES))
    if isinstance(value, (int, np.integer)):
        raise DatasetError(f"magnifications is {value}: give a list, for example [{value}].")
    wanted = list(value) if isinstance(value, (Sequence, np.ndarray, set, frozenset)) else []
    unknown = [item for item in wanted if isinstance(item, bool) or item not in PIXEL_SIZES]
    if not wanted or unknown:
        raise DatasetError(f"magnifications is {value!r}: give some of {known}, each an int.")
    return tuple(sorted({int(item) for item in wanted}))


def check_threads(threads: object) -> int:
    """Return the number of worker threads; None is one per processor, at most eight."""
    return min(8, os.cpu_count() or 1) if threads is None else as_count("threads", threads, 1, 256)
