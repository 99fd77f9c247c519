"""The five published train/test folds of BreakHis, from the authors' text files or the Kaggle `Folds.csv`."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from breastcls.errors import DatasetWarning, LeakageWarning, SplitError
from breastcls.size_limits import read_text
from breastcls.text_tables import choose_form, format_count

_CSV_COLUMNS = {"fold", "grp", "filename"}


def read_fold(fold_file: str | os.PathLike[str], fold: int | None = None) -> dict[str, str]:
    """Read the parts, train or test, of the images of one fold.

    Args:
        fold_file: `dsfold1.txt` ... `dsfold5.txt` (rows `name.png|magnification|fold|train-or-test`), or `Folds.csv`
            (columns fold, mag, grp and filename; five rows per image).
        fold: 1 to 5. Needed for the CSV; for a text file it must agree with the file.

    Returns:
        A dict from file name to "train" or "test".

    Raises:
        SplitError: If the file cannot be read, has another format, or does not contain the fold.
    """
    path = Path(fold_file)
    rows = _read_rows(path)
    known = sorted({row[1] for row in rows})
    if fold is None and len(known) > 1:
        raise SplitError(f"{path} contains the folds {known}: choose one with fold=.")
    wanted = known[0] if fold is None else fold
    if wanted not in known:
        raise SplitError(f"{path} has no fold {fold!r}; it contains {known}.")
    groups: dict[str, str] = {}
    for name, number, group in rows:
        if number == wanted and groups.setdefault(name, group) != group:
            raise SplitError(f"{path} lists {name} in both train and test of fold {number}.")
    return groups


def list_folds(fold_file: str | os.PathLike[str]) -> tuple[int, ...]:
    """Return the numbers of the folds in a file: one for `dsfoldN.txt`, five for `Folds.csv`.

    Args:
        fold_file: `dsfold1.txt` to `dsfold5.txt` of the authors of BreakHis, or `Folds.csv` of the copy on Kaggle.

    Raises:
        SplitError: If the file cannot be read or has another format.
    """
    return tuple(sorted({row[1] for row in _read_rows(Path(fold_file))}))


def assign_fold(
    names: Sequence[str], cases: np.ndarray, fold_file: str | os.PathLike[str], fold: int | None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Assign images to train and test by a published fold, and report its leakage between cases.

    Args:
        names: File names, without folders.
        cases: The case of each image, of shape (n,).
        fold_file: As in `read_fold`.
        fold: As in `read_fold`.

    Returns:
        Boolean masks of the training and the test images, of shape (n,), and notes for both parts.

    Raises:
        SplitError: If the file lists no training or no test image.
    """
    groups = read_fold(fold_file, fold)
    found = np.array([groups.get(name, "") for name in names])
    train, test = found == "train", found == "test"
    if not train.any() or not test.any():
        raise SplitError(
            f"Of {format_count(len(names), 'image')}, {fold_file} lists {int(train.sum())} in train and "
            f"{int(test.sum())} in test; neither may be empty. The images must be those of BreakHis, with the "
            "original file names."
        )
    notes = []
    unlisted = len(names) - int(train.sum()) - int(test.sum())
    if unlisted:
        notes.append(
            f"{Path(fold_file).name} does not list {format_count(unlisted, 'image')}, which "
            f"{choose_form(unlisted, 'was', 'were')} left out."
        )
        warnings.warn(notes[-1], DatasetWarning, stacklevel=3)
    shared = np.isin(cases[test], np.unique(cases[train].astype(str)))
    if shared.any():
        notes.append(
            f"Published fold: {shared.mean():.0%} of the test images ({int(shared.sum())} of {len(shared)}) belong to "
            "a case that is also in train (another slide of the same number)."
        )
        warnings.warn(
            notes[-1] + " fit and evaluate require allow_leakage=True for it; split(by='case') has no leakage.",
            LeakageWarning,
            stacklevel=3,
        )
    return train, test, tuple(notes)


def _read_rows(path: Path) -> list[tuple[str, int, str]]:
    """Return the file name, fold and part of each row."""
    try:
        text = read_text(path).removeprefix("\ufeff")
    except (OSError, ValueError) as error:
        raise SplitError(f"Cannot read the fold file {path}: {error}.") from error
    return _csv_rows(text, path) if path.suffix.lower() == ".csv" else _text_rows(text, path)


def _text_rows(text: str, path: Path) -> list[tuple[str, int, str]]:
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 4 or not fields[2].isdigit() or fields[3].lower() not in ("train", "test"):
            raise SplitError(
                f"{path}, line {number}: expected 'name.png|magnification|fold|train', found {line[:80]!r}."
            )
        rows.append((fields[0], int(fields[2]), fields[3].lower()))
    if not rows:
        raise SplitError(f"{path} is empty.")
    return rows


def _csv_rows(text: str, path: Path) -> list[tuple[str, int, str]]:
    reader = csv.DictReader(text.splitlines())
    columns = set(reader.fieldnames or [])
    if not columns >= _CSV_COLUMNS:
        raise SplitError(
            f"{path} has the columns {sorted(columns)}; expected {sorted(_CSV_COLUMNS)}, as in Kaggle's Folds.csv."
        )
    rows = []
    for number, row in enumerate(reader, start=2):
        fold, group = str(row["fold"]).strip(), str(row["grp"]).strip().lower()
        if not fold.isdigit() or group not in ("train", "test"):
            raise SplitError(
                f"{path}, line {number}: fold {fold!r} and grp {group!r} are not a number and 'train' or 'test'."
            )
        rows.append((str(row["filename"]).replace("\\", "/").rsplit("/", 1)[-1], int(fold), group))
    return rows
