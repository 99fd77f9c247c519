"""Matching vectors to the rows of a table by their ids."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import DatasetError
from breastcls.identifiers import format_name
from breastcls.text_tables import choose_form, format_count

EXTRA = ("raise", "drop")
# Of image files, and of files of vectors that are named by their image.
_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".svs", ".npy", ".npz", ".h5", ".hdf5", ".pt")
)


def match_ids(
    wanted: Sequence[Sequence[str]], ids: Iterable[Any], name: str, *, extra: str = "raise"
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Return which vector belongs to each row of a table.

    Ids are compared as they are written, then by paths without suffixes, by file names, and by file names without
    suffixes: the first form is used in which every row has one vector.

    Args:
        wanted: The ids of the rows: one list of n, or several, as the path of an image may be written in several ways.
        ids: The ids of the vectors.
        name: What has the vectors, for messages.
        extra: "raise": a vector without a row is an error; "drop": it is left out, and a note counts it.

    Returns:
        Positions int64 (n,) among the vectors, and notes.

    Raises:
        DatasetError: If an id occurs twice, a row has no vector, or a vector has no row.

    Example:
        >>> match_ids([["img/a.png", "img/b.png"]], ["b", "a"], "x.npz")[0].tolist()
        [1, 0]
    """
    found = [format_name(one) for one in ids]
    repeated = [one for one, times in Counter(found).items() if times > 1]
    if repeated:
        raise DatasetError(
            f"{name} has {format_count(len(repeated), 'id')} more than once, such as {repeated[0]!r}. Each vector "
            "needs an id of its own."
        )
    best: list[str] = []
    for form, said in _FORMS:
        places: dict[str, int | None] = {}
        for place, one in enumerate(map(form, found)):
            # An ambiguous id matches no row.
            places[one] = None if one in places else place
        for rows in wanted:
            positions = [places.get(form(format_name(row))) for row in rows]
            missing = [row for row, position in zip(rows, positions, strict=True) if position is None]
            if not missing:
                taken = np.array(positions, np.int64)
                return taken, (*_check_extra(taken, found, name, extra), *_describe(taken, found, said))
            if not best or len(missing) < len(best):
                best = missing
    first = "" if not found else f" Its ids are such as {found[0]!r}."
    raise DatasetError(
        f"{name} has no vector for {len(best)} of {format_count(len(wanted[0]), 'row')} of the table, first "
        f"{str(best[0])!r}.{first} Compute the missing vectors, leave these rows out, or name the column of the table "
        "that has the ids by id_column=."
    )


def _check_extra(taken: npt.NDArray[np.int64], found: Sequence[str], name: str, extra: str) -> tuple[str, ...]:
    left = np.setdiff1d(np.arange(len(found)), taken)
    if not len(left):
        return ()
    are = choose_form(len(left), "is not a row", "are not rows")
    said = f"{format_count(len(left), 'vector')} of {name} {are} of the table, such as {found[left[0]]!r}"
    if extra == "raise":
        raise DatasetError(f"{said}. Pass extra='drop' to leave them out, or complete the table.")
    return (f"{said}; {choose_form(len(left), 'it was', 'they were')} left out.",)


def _describe(taken: npt.NDArray[np.int64], found: Sequence[str], said: str) -> tuple[str, ...]:
    notes = []
    if said:
        notes.append(f"Vectors were matched to rows by {said}.")
    if len(taken) == len(found) and not np.array_equal(taken, np.arange(len(taken))):
        notes.append("The vectors were in another order than the table; they were matched by their ids.")
    return tuple(notes)


def _written(text: str) -> str:
    return text.replace("\\", "/").removeprefix("./")


def without_suffix(text: str) -> str:
    """Return a path without the suffix of an image or of a file of vectors.

    Example:
        >>> without_suffix("img/a.png"), without_suffix("case-1.5")
        ('img/a', 'case-1.5')
    """
    stem, suffix = posixpath.splitext(text)
    return stem if suffix.lower() in _SUFFIXES else text


_FORMS: tuple[tuple[Callable[[str], str], str], ...] = (
    (_written, ""),
    (lambda text: without_suffix(_written(text)), "their paths without suffixes"),
    (lambda text: posixpath.basename(_written(text)), "the names of their files"),
    (lambda text: without_suffix(posixpath.basename(_written(text))), "the names of their files without suffixes"),
)
