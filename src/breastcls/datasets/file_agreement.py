"""Files that are in several rows of a table: a file is one image, of one case and one class."""

from __future__ import annotations

import os
import warnings

import pandas as pd

from breastcls.errors import DatasetError, DatasetWarning
from breastcls.text_tables import choose_form, format_count

_SHOWN = 3


def check_files_agree(table: pd.DataFrame, *, stacklevel: int = 3) -> None:
    """Check that no file has several labels or several cases.

    Files are compared by their path, and existing files also by their identity in the file system, so that links
    (symbolic and hard) to one file are found. Files of equal content are found by `Dataset.check` and `audit_leakage`.

    Args:
        table: The table of a dataset.
        stacklevel: Of the warning; 3 for the caller of the function that calls this one.

    Raises:
        DatasetError: If a file has several; the message names it with its rows.

    Warns:
        DatasetWarning: If a file is in several rows that agree.
    """
    files = pd.Series([_identify(path) for path in table["path"]], index=table.index, dtype=object)
    repeated = files.duplicated(keep=False)
    if not repeated.any():
        return
    rows = table[repeated].assign(file=files[repeated])
    for column, what in (("label", "labels"), ("case", "cases")):
        counted = rows.groupby("file", sort=False)[column].nunique()
        several = counted[counted > 1]
        if len(several):
            given = rows[rows["file"] == several.index[0]]
            listed = "; ".join(
                f"row {row}: {path}, {column} {value!r}"
                for row, path, value in zip(given.index[:_SHOWN], given["path"], given[column], strict=False)
            )
            more = f" {format_count(len(several) - 1, 'more file')} likewise." if len(several) > 1 else ""
            raise DatasetError(
                f"One file is in {format_count(len(given), 'row')} with different {what} ({listed}).{more} A file is "
                "one image, of "
                "one case and one class: correct the rows, or remove all but one of them."
            )
    again = int(repeated.sum()) - rows["file"].nunique()
    warnings.warn(
        f"{again} of {format_count(len(table), 'row')} {choose_form(again, 'repeats', 'repeat')} a file of another "
        f"row, first {rows['path'].iloc[0]}: such an image "
        "counts more than once. Remove the repeated rows, or select those of one fold or magnification.",
        DatasetWarning,
        stacklevel=stacklevel,
    )


def _identify(path: str) -> tuple[int, int] | str:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return os.path.normpath(path)
    # Some network file systems number no files.
    return (found.st_dev, found.st_ino) if found.st_ino else os.path.realpath(path)
