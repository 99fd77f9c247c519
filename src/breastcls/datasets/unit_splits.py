"""Parts of a table that keep units whole: cases, slides, or the values of any column."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from breastcls.datasets import splitting
from breastcls.datasets.row_selection import require_column
from breastcls.errors import DatasetError, SplitError
from breastcls.identifiers import TEXT, format_names, merge_similar
from breastcls.text_tables import choose_form, format_count

LEAVE_ONE_OUT = "leave-one-out"


def unit_names(table: pd.DataFrame, by: str) -> np.ndarray:
    """Return the unit of each image, an object array of str of shape (n,).

    Args:
        table: The table of a dataset.
        by: "case", "slide", "image" (the position of the row) or another column.

    Raises:
        DatasetError: If the column does not exist, or does not say to which unit an image belongs.
    """
    if by == "image":
        return np.array([str(number) for number in range(len(table))], dtype=object)
    if by not in table:
        raise DatasetError(
            f"by must be 'case', 'slide', 'image' or a column of the table; found {by!r}. Columns: "
            f"{', '.join(table.columns)}."
        )
    values = table[by]
    if by == "slide":
        values = values.fillna(table["case"])
    missing = values.isna().to_numpy(dtype=bool)
    if by in ("case", "slide") and missing.all():
        raise DatasetError(
            f"The {by} of these images is not known, so they cannot be divided by {by}. Read them with their {by}s: a "
            f"column {by!r} of the table, group= or layout= of load_folder. by='image' treats each image as a case of "
            "its own."
        )
    if missing.any():
        raise DatasetError(
            f"Column {by!r} is empty in {format_count(int(missing.sum()), 'row')}, first in row "
            f"{int(missing.argmax())} "
            f"({table['path'].iloc[int(missing.argmax())]}). Fill in these values, or leave the rows out with where()."
        )
    return format_names(values).to_numpy(dtype=object)


def assign_units(
    table: pd.DataFrame,
    labels: np.ndarray,
    classes: Sequence[str],
    fractions: Sequence[float],
    *,
    by: str,
    stratify: str | Sequence[str] | None,
    seed: int,
    distinct: Collection[str],
) -> np.ndarray:
    """Assign every image to a part, keeping units whole; similar names are one unit.

    Args:
        table: The table of a dataset.
        labels: Class indices, int of shape (n,).
        classes: Class names.
        fractions: Fraction of each part, adding up to 1.
        by: See `unit_names`.
        stratify: Columns whose values should have the same distribution in all parts, besides the classes.
        seed: Seed of the random order.
        distinct: Similar names that are different units.

    Returns:
        Part numbers, int64 of shape (n,).

    Raises:
        SplitError: If the split is not possible; see `splitting.assign_parts`.
        DatasetError: See `unit_names`.
    """
    units = _whole_units(table, by, distinct)
    # Cases and slides have names; an image is identified by its path, so that the order of rows has no effect.
    keys = np.array([f"{Path(p).name}|{p}" for p in table["path"]], dtype=object) if by == "image" else None
    strata = None if stratify is None else _strata(table, [stratify] if isinstance(stratify, str) else stratify)
    return splitting.assign_parts(units, labels, classes, fractions, seed=seed, by=by, keys=keys, strata=strata)


def leave_one_out(
    table: pd.DataFrame, labels: np.ndarray, classes: Sequence[str], *, by: str, distinct: Collection[str]
) -> np.ndarray:
    """Return the number of each image's unit, in the order of their names: each is the test part of one fold.

    Raises:
        SplitError: If there are fewer than two units, or all images of a class belong to one unit.
        DatasetError: See `unit_names`.
    """
    names, parts = np.unique(_whole_units(table, by, distinct).astype(str), return_inverse=True)
    if len(names) < 2:
        raise SplitError(f"Leaving one {by} out needs at least two; all images have the {by} {str(names[0])!r}.")
    for index in np.unique(labels):
        holding = np.unique(parts[labels == index])
        if len(holding) == 1:
            only = str(names[holding[0]])
            raise SplitError(
                f"All images of the class {classes[index]!r} have the {by} {only!r}: without it there are none for "
                "training. Use folds by case, or leave the class out with where()."
            )
    return np.asarray(parts, dtype=np.int64).ravel()


def _whole_units(table: pd.DataFrame, by: str, distinct: Collection[str]) -> np.ndarray:
    units = unit_names(table, by)
    if by == "image":
        return units
    units = merge_similar(units, distinct)
    if by not in ("case", "slide") and table["case"].notna().all():
        per_case = pd.Series(units).groupby(table["case"].to_numpy(dtype=object)).nunique()
        torn = per_case[per_case > 1]
        if len(torn):
            raise SplitError(
                f"{len(torn)} of {format_count(len(per_case), 'case')} {choose_form(len(torn), 'has', 'have')} images "
                f"of several values of {by!r}, first case "
                f"{torn.index[0]!r}: a split by {by} would put one case into several parts. Split by='case', with "
                f"stratify={by!r} if the parts should be alike."
            )
    return units


def _strata(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    values = [require_column(table, column).astype(TEXT).fillna("") for column in columns]
    return np.asarray(pd.factorize(pd.MultiIndex.from_arrays(values), sort=True)[0], dtype=np.int64)


def check_fold_count(count: int | Literal["leave-one-out"]) -> None:
    """Raise `SplitError` unless the number of folds is a whole number of at least 2 or "leave-one-out"."""
    if isinstance(count, str) and count != LEAVE_ONE_OUT:
        raise SplitError(f"The number of folds must be a whole number or {LEAVE_ONE_OUT!r}; found {count!r}.")
