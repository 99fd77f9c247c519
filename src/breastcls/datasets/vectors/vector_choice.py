"""Which array or column of a file has the vectors, and which one has their ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from breastcls.errors import DatasetError

VECTOR_NAMES = ("vectors", "vector", "embeddings", "embedding", "features")
"""Usual names of vectors, in order of preference."""

# Without the separators and the plural of `image_ids` or `File-Names`.
_ID_NAMES = ("id", "path", "name", "filename", "filepath", "file", "imageid", "imagename", "imagepath", "key")
_SHOWN = 12


def choose_array(path: Path, shapes: Mapping[str, Sequence[int]], key: str | None) -> str | None:
    """Return the name of the array that has the vectors, or None where each array is the vector of one image.

    Args:
        path: The file.
        shapes: The shapes of the arrays of numbers, by name.
        key: The name that the user gave.

    Raises:
        DatasetError: If there is no array `key`, or without a key none or several that may be meant.

    Example:
        >>> choose_array(Path("a.h5"), {"coords": (9, 2), "features": (9, 384)}, None)
        'features'
        >>> choose_array(Path("a.npz"), {"a.png": (384,), "b.png": (384,)}, None)
    """
    if key is not None:
        if key not in shapes:
            raise DatasetError(f"{path} has no array {key!r}; it has {list_names(shapes)}.")
        return key
    candidates = {name: shape for name, shape in shapes.items() if not is_id_name(name)} or dict(shapes)
    if len(candidates) == 1:
        return next(iter(candidates))
    usual = [name for known in VECTOR_NAMES for name in candidates if _last(name) == known]
    if usual and (_last(usual[0]) == VECTOR_NAMES[0] or len(usual) == 1):
        return usual[0]
    fitting = [name for name, shape in candidates.items() if len(shape) >= 2 and shape[0] != 1]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and len({_without_one(shape) for shape in candidates.values()}) == 1:
        return None
    listed = [f"{name!r} {tuple(shape)}" for name, shape in shapes.items()]
    raise DatasetError(
        f"{path} has {_shorten(listed) or 'no arrays of numbers'}. Name the array that has the vectors, (n, d), by "
        "key=."
    )


def choose_ids(
    path: Path | str, names: Sequence[str], ids: str | None, read_texts: Callable[[], Mapping[str, Sequence[Any]]]
) -> tuple[str | None, tuple[str, ...]]:
    """Return the name of the array or column of ids, or None, and a note where the name is not a usual one.

    Args:
        path: The file.
        names: The names of all arrays or columns but the vectors.
        ids: The name that the user gave.
        read_texts: Returns those with one text per vector. Without a usual name, the only one that is different in
            every row has the ids.

    Raises:
        DatasetError: If `ids` names none.

    Example:
        >>> choose_ids("a.npz", ["labels", "File_Names"], None, dict)
        ('File_Names', ())
        >>> choose_ids("a.npz", ["tile"], None, lambda: {"tile": ["a", "b"], "label": ["benign", "benign"]})[0]
        'tile'
    """
    if ids is not None:
        if ids not in names:
            raise DatasetError(f"{path} has no ids {ids!r}; it has {list_names(names)}.")
        return ids, ()
    usual = [name for known in _ID_NAMES for name in names if _plain(name) == known]
    if usual:
        return usual[0], ()
    distinct = [name for name, values in read_texts().items() if len(set(values)) == len(values) > 1]
    if len(distinct) != 1:
        return None, ()
    return distinct[0], (f"The ids of the vectors are {distinct[0]!r}, the only text that is different in every row.",)


def is_id_name(name: str) -> bool:
    """Return whether an array or a column of this name usually has ids.

    Example:
        >>> is_id_name("image_ids"), is_id_name("features")
        (True, False)
    """
    return _plain(name) in _ID_NAMES


def list_names(names: Mapping[str, Any] | Sequence[str]) -> str:
    """Return names for a message, the first ones of many."""
    return _shorten([repr(name) for name in names]) or "nothing else"


def _shorten(listed: Sequence[str]) -> str:
    more = len(listed) - _SHOWN
    return ", ".join(listed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1].casefold()


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", _last(name)).removesuffix("s")


def _without_one(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(shape[1:]) if len(shape) == 2 and shape[0] == 1 else tuple(shape)
