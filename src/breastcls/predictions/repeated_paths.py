"""Rows with the same path: a path belongs to one image, and an image should be counted once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.text_tables import choose_form, format_count


def check_paths_agree(
    paths: npt.NDArray[Any] | None,
    cases: npt.NDArray[Any] | None,
    labels: npt.NDArray[np.int64],
    classes: tuple[str, ...],
) -> None:
    """Raise `EvaluationError` where one file has several cases or several classes.

    Names without a folder are not checked: folders often number their files alike. See `describe_repeats`.

    Args:
        paths: (n,) files, "" where not known, or None.
        cases: (n,) their cases, or None.
        labels: int64 (n,) their classes, -1 where not known.
        classes: Class names.
    """
    if paths is None:
        return
    rows = _repeated_rows(paths)
    rows = rows[_has_folder(paths[rows])]
    names = np.array([*classes, None], dtype=object)  # index -1 is the unknown class, which agrees with every class
    for what, of_row in (("cases", cases), ("classes", names[labels])):
        if of_row is None:
            continue
        found = pd.Series(of_row[rows]).groupby(paths[rows], sort=False).unique()
        several = found[found.map(lambda one: pd.Series(one).nunique()) > 1]
        if len(several):
            given = [str(one) for one in several.iloc[0] if one is not None]
            listed = ", ".join(given[:5]) + (", ..." if len(given) > 5 else "")
            more = f"; {format_count(len(several) - 1, 'more path')} likewise" if len(several) > 1 else ""
            raise EvaluationError(
                f"`paths` holds {several.index[0]!r} in "
                f"{format_count(int((paths == several.index[0]).sum()), 'row')}, with "
                f"{len(given)} {what} ({listed}){more}. A file is one image, of one case and one class: give each row "
                "the path of its own file, or leave `paths` out."
            )


def describe_repeats(paths: npt.NDArray[Any] | None, written: npt.NDArray[Any] | None = None) -> list[str]:
    """Return sentences on files, and on names of files without a folder, that are in several rows.

    Args:
        paths: (n,) files, "" where not known, or None.
        written: (n,) the same as the sentences name them; as in `paths` if None.
    """
    if paths is None:
        return []
    rows = _repeated_rows(paths)
    inside = _has_folder(paths[rows])
    sentences = []
    shown = paths if written is None else written
    files, names = shown[rows[inside]], shown[rows[~inside]]
    if len(files):
        sentences.append(
            f"{len(files)} of {format_count(len(paths), 'row')} {choose_form(len(files), 'shares', 'share')} their "
            "file with another row (different files: "
            f"{_different(files)}, such as {files[0]!r}): these images count more than once. Remove the repeated rows."
        )
    if len(names):
        sentences.append(
            f"{len(names)} of {format_count(len(paths), 'row')} {choose_form(len(names), 'shares', 'share')} the name "
            "of their file with another row (different names: "
            f"{_different(names)}, such as {names[0]!r}). Without folders it is not known whether they are the same "
            "images, which would then count more than once."
        )
    return sentences


def _different(names: npt.NDArray[Any]) -> int:
    return len(set(names.tolist()))


def _repeated_rows(paths: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    codes, _ = pd.factorize(paths)
    return np.flatnonzero((np.bincount(codes)[codes] > 1) & (paths != ""))


def _has_folder(paths: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    return np.array(["/" in path or "\\" in path for path in paths], dtype=bool)
