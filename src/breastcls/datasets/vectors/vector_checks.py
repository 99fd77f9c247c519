"""Checks of arrays of vectors: type, shape, and values that are finite as float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from breastcls.datasets.vectors.vector_rows import Vectors
from breastcls.errors import DatasetError
from breastcls.text_tables import choose_form, format_count

_ROWS_AT_ONCE = 8192


def check_vectors(values: Any, name: str, ids: Sequence[str] | None = None) -> tuple[Vectors, tuple[str, ...]]:
    """Return vectors as float32 (n, d), and notes on what was converted.

    An array that is float32 already is returned without a copy, also if it is mapped from a file.

    Args:
        values: An array, or a tensor that converts to one.
        name: What it is, for messages.
        ids: The names of its rows, for messages.

    Raises:
        DatasetError: If it is not an array (n, d) of numbers, or a number is not finite as float32.

    Example:
        >>> vectors, notes = check_vectors(np.ones((2, 3), np.float16), "a.npy")
        >>> vectors.dtype, notes
        (dtype('float32'), ('The vectors were converted from float16 to float32.',))
    """
    try:
        array = values if isinstance(values, np.ndarray) else np.asarray(values)
    except ValueError as error:
        raise DatasetError(
            f"{name} has vectors of different lengths; expected (n, d), one vector per image."
        ) from error
    if np.ma.is_masked(array):
        raise DatasetError(f"{name} has masked numbers. Compute these vectors again, or leave the images out.")
    if array.ndim != 2 or 0 in array.shape:
        raise DatasetError(
            f"{name} has the shape {array.shape}; expected (n, d), one vector per image.{_remedy(array)}"
        )
    if array.dtype.kind not in "fiu" and array.dtype.name != "bfloat16":
        raise DatasetError(f"{name} has the type {array.dtype}; expected numbers, such as float32.")
    notes: tuple[str, ...] = ()
    if array.dtype != np.float32:
        notes = (f"The vectors were converted from {array.dtype} to float32.",)
    _check_finite(array, name, ids)
    if array.dtype != np.float32 or not array.flags.c_contiguous:
        array = np.ascontiguousarray(array, np.float32)
    view = array.view()
    view.flags.writeable = False
    return view, notes


def _check_finite(array: np.ndarray, name: str, ids: Sequence[str] | None) -> None:
    wrong, first, too_large = 0, -1, False
    for start in range(0, len(array), _ROWS_AT_ONCE):
        part = np.asarray(array[start : start + _ROWS_AT_ONCE])
        with np.errstate(over="ignore"):
            finite = np.isfinite(part.astype(np.float32)).all(axis=1)
        if not finite.all():
            row = int(np.flatnonzero(~finite)[0])
            if first < 0:
                first, too_large = start + row, bool(np.isfinite(part[row].astype(np.float64)).all())
            wrong += int((~finite).sum())
    if wrong:
        named = f"row {first}" if ids is None else f"row {first}, {str(ids[first])!r}"
        what = "numbers that float32 cannot hold" if too_large else "NaN or infinite numbers"
        raise DatasetError(
            f"{name} has {what} in {format_count(wrong, 'vector')}, first in {named}. Compute "
            f"{choose_form(wrong, 'this vector', 'these vectors')} again, or leave the images out of table and array."
        )


def _remedy(array: np.ndarray) -> str:
    if 0 in array.shape:
        return " It is empty."
    if array.ndim == 1:
        return " For a single image write it as (1, d)."
    if array.ndim > 2:
        return " Average the tokens or positions of each image, or take the class token, before they are stored."
    return ""
