"""Checks of what the makers of synthetic images are asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from breastcls.datasets.synthetic.tissue import PIXEL_SIZES
from breastcls.errors import DatasetError


def whole_number(argument: str, value: object, least: int, most: int | None) -> int:
    """Return a whole number within its range."""
    limits = f"{least} or more" if most is None else f"{least} to {most}"
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise DatasetError(f"{argument} is {value!r}: give a whole number, {limits}.")
    if value < least or (most is not None and value > most):
        raise DatasetError(f"{argument} is {value}: give {limits}.")
    return int(value)


def frame_size(value: object) -> tuple[int, int]:
    """Return (height, width)."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise DatasetError(f"image_size is {value!r}: give (height, width) in pixels, for example (460, 700).")
    return whole_number("The height in image_size", value[0], 32, 4096), whole_number(
        "The width in image_size", value[1], 32, 4096
    )


def known_magnifications(value: object) -> tuple[int, ...]:
    """Return the magnifications in the order of the official set."""
    known = ", ".join(map(str, PIXEL_SIZES))
    if isinstance(value, (int, np.integer)):
        raise DatasetError(f"magnifications is {value}: give a list, for example [{value}].")
    wanted = list(value) if isinstance(value, (Sequence, np.ndarray, set, frozenset)) else []
    unknown = [item for item in wanted if isinstance(item, bool) or item not in PIXEL_SIZES]
    if not wanted or unknown:
        raise DatasetError(f"magnifications is {value!r}: give some of {known}, each an int.")
    return tuple(sorted({int(item) for item in wanted}))


def worker_count(threads: object) -> int:
    """Return how many jobs run at a time; None means one for each processor, at most eight."""
    return min(8, os.cpu_count() or 1) if threads is None else whole_number("threads", threads, 1, 256)
