"""Prediction sets and out-of-distribution flags as text in tables: written and read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import EvaluationError

SETS, FLAGS = "prediction_set", "out_of_distribution"
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def name_sets(sets: npt.NDArray[np.bool_], classes: Sequence[str]) -> list[str]:
    """Return prediction sets as text, the names of their classes.

    Example:
        >>> name_sets(np.array([[True, True], [False, False]]), ("benign", "malignant"))
        ['benign, malignant', 'none']
    """
    empty = _name_empty(classes)
    return [", ".join(name for name, inside in zip(classes, row, strict=True) if inside) or empty for row in sets]


def read_sets(texts: Sequence[str], classes: Sequence[str], path: Any) -> npt.NDArray[np.bool_] | None:
    """Return the prediction sets bool (n, classes) that `name_sets` has written; None if all texts are empty.

    Args:
        texts: The column of a table.
        classes: The class names.
        path: The file, for messages.

    Raises:
        EvaluationError: If a text is not a list of classes.

    Example:
        >>> read_sets(["benign, malignant", "none"], ("benign", "malignant"), "a.csv").tolist()
        [[True, True], [False, False]]
    """
    if not any(texts):
        return None
    read = {text: _read_set(text, classes) for text in dict.fromkeys(texts)}
    wrong = [text for text, row in read.items() if row is None]
    if wrong:
        raise _cannot_be_read(path, SETS, wrong, f"class names separated by ', ', or '{_name_empty(classes)}'")
    return np.array([read[text] for text in texts], dtype=bool)


def read_flags(texts: Sequence[str], path: Any) -> npt.NDArray[np.bool_] | None:
    """Return the flags bool (n,) of a column of a table; None if all texts are empty.

    Raises:
        EvaluationError: If a text is neither true nor false.
    """
    if not any(texts):
        return None
    read = {text: _TRUTH.get(text.strip().lower()) for text in dict.fromkeys(texts)}
    wrong = [text for text, flag in read.items() if flag is None]
    if wrong:
        raise _cannot_be_read(path, FLAGS, wrong, "True or False in every row")
    return np.array([read[text] for text in texts], dtype=bool)


def _name_empty(classes: Sequence[str]) -> str:
    return "(none)" if "none" in classes else "none"


def _read_set(text: str, classes: Sequence[str]) -> list[bool] | None:
    """Return which classes a text names, in any order; None if it is no list of different classes."""
    rest, left = ("" if text == _name_empty(classes) else f"{text}, "), list(classes)
    # The names are removed one after another, the longest first, since they may hold commas themselves.
    while rest:
        name = max((one for one in left if rest.startswith(f"{one}, ")), key=len, default=None)
        if name is None:
            return None
        left.remove(name)
        rest = rest[len(name) + 2 :]
    return [name not in left for name in classes]


def _cannot_be_read(path: Any, column: str, found: Sequence[str], expected: str) -> EvaluationError:
    return EvaluationError(
        f"The column `{column}` of {path} holds {list(found)[:5]}; expected {expected}. Give the column another name "
        "if it means something else."
    )
