"""Reading a dataset from a table: a CSV file, an Excel workbook or a DataFrame."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from breastcls.datasets.class_list import CLASSES_LINE, VECTORS_LINE, read_classes
from breastcls.datasets.damaged_names import check_names
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_name import base_name
from breastcls.datasets.file_agreement import check_files_agree
from breastcls.datasets.folder import CASES_UNKNOWN
from breastcls.datasets.image_table import COLUMNS
from breastcls.datasets.similar_names import warn_similar_names
from breastcls.datasets.table_columns import find_files, match_columns, parse_numbers, read_decimal_commas
from breastcls.datasets.vectors.attached_vectors import attach_vectors
from breastcls.datasets.vectors.vector_files import read_vectors
from breastcls.errors import DatasetError, DatasetWarning
from breastcls.identifiers import TEXT, format_names
from breastcls.table_files import read_text_table

NO_PATH = " without a path"
"""How the paths end that stand for rows of a table without the column `path`."""

_NUMBERS = ("magnification", "x", "y")
_SYNONYMS = {
    "path": ("file", "filename", "file name", "filepath", "image", "image path", "image name", "img"),
    "label": ("class", "target", "diagnosis", "y true", "category", "ground truth"),
    "case": ("patient", "patient id", "case id", "subject", "subject id", "pid"),
}


def load_table(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    classes: Sequence[str] | None = None,
    root: str | os.PathLike[str] | None = None,
    encoding: str | None = None,
    distinct: object = (),
    files: bool = True,
) -> Dataset:
    """Read a table of images, such as `Dataset.to_csv` writes, or a spreadsheet program.

    Args:
        source: A DataFrame, or a file: CSV with comma, semicolon, tab or vertical bar, in UTF-8, UTF-16 or
            Windows-1252, also compressed by gzip; or an Excel workbook `.xlsx` (needs `pip install
            'breastcls[excel]'`). Its columns are `path` and, if known, `label`, `case`, `slide`, `magnification`,
            `subtype`, `x`, `y` and `source`, in any order and letter case. Further columns (centre, scanner, age ...)
            are kept.
        classes: Class names, the positive one last. By default those that `to_csv` wrote to the file, or else the
            labels in alphabetical order.
        root: Folder to which relative paths refer; by default the folder of the file.
        encoding: Text encoding of a CSV file, such as "cp1250"; found from the content by default.
        distinct: Names of cases and slides that are different although they differ in letter case, leading zeros,
            separators or accents only: `["01", "1"]`, `[("P1", "p1")]`, or True for all names. Others are kept in one
            part by splits, and count as a possible leak between two datasets.
        files: Whether every image file must exist. False is for splits of a table without its images; then `path` may
            be missing, too. `audit_leakage` takes such a table itself.

    Returns:
        The dataset. `load_table(data.to_csv(file), root=data.root)` equals `data`, also with vectors. Without a column
        `label` or `case` it can be used by `predict` and `explain`; training and evaluation need labels, splits by case
        need cases.

    Raises:
        DatasetError: If the file cannot be read, a column is missing or partly empty, a name is an error value of a
            spreadsheet, a label is unknown, classes differ in spelling only, a file has several labels or cases, or
            image files do not exist; the message names the first.

    Warns:
        DatasetWarning: If cases are not known, a name may mark a missing value or be a rounded number, names differ in
            spelling only, rows repeat a file, or the encoding was assumed.

    Example:
        >>> frame = pd.DataFrame({"path": ["a.png"], "label": ["benign"], "case": ["7"]})
        >>> load_table(frame, classes=["benign", "malignant"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        breastcls.errors.DatasetError: 1 of 1 image files do not exist, first a.png. Correct the paths...
    """
    written: tuple[str, ...] | None = None
    vectors: Path | None = None
    notes: tuple[str, ...] = ()
    if isinstance(source, pd.DataFrame):
        frame, name = source.copy(), "The table"
    else:
        read = read_text_table(source, DatasetError, encoding=encoding, comment_prefix=(CLASSES_LINE, VECTORS_LINE))
        frame, notes, name = read.frame, read.notes, f"The table {os.path.basename(source)}"
        for line in read.comment.splitlines():
            if line.startswith(CLASSES_LINE):
                written = read_classes(line)
            else:
                vectors = _beside(source, line.removeprefix(VECTORS_LINE).strip())
        root = os.path.dirname(os.path.abspath(source)) if root is None else root
    frame = match_columns(frame, COLUMNS, name, DatasetError)
    if not isinstance(source, pd.DataFrame):
        frame = frame.apply(lambda column: column if column.name in COLUMNS else read_decimal_commas(column))
    if not len(frame):
        raise DatasetError(f"{name} has no rows.")
    if "path" not in frame and not files:
        frame["path"] = [f"row {number}{NO_PATH}" for number in range(len(frame))]
    if "path" not in frame:
        raise DatasetError(
            f"{name} has no column 'path'; found: {', '.join(map(str, frame.columns))}.{_suggest(frame, 'path')} "
            "Rename or add the column."
        )
    for column in _NUMBERS:
        if column in frame:
            frame[column] = parse_numbers(frame[column], name, DatasetError)
    check_names(frame, name)
    ids = frame["path"].astype(TEXT).tolist()
    # A table that was written with vectors can be used without the images.
    frame["path"] = find_files(frame["path"], root, name, must_exist=files and vectors is None)
    labelled = "label" in frame and bool(frame["label"].notna().any())
    if classes is None:
        classes = written or (sorted(format_names(frame["label"]).dropna().unique()) if labelled else ())
    title = "" if isinstance(source, pd.DataFrame) else f"table {base_name(source)}"
    data = Dataset(frame, tuple(classes), notes, title, None if root is None else os.fspath(root), distinct)
    data = data if vectors is None else attach_vectors(data, read_vectors(vectors), vectors.name, [ids])
    data = _note_unknown(data, name)
    check_files_agree(data.frame)
    warn_similar_names(data.frame, data.distinct)
    return data


def _beside(source: str | os.PathLike[str], name: str) -> Path:
    """Return the file of vectors that a table names, which is in the folder of the table."""
    path = Path(os.path.abspath(source)).parent / os.path.basename(name)
    if os.path.basename(name) != name or not path.is_file():
        raise DatasetError(
            f"The table {os.path.basename(source)} names the file of its vectors, {name!r}, which is not beside it. "
            f"Copy both, or remove the line '{VECTORS_LINE}...' to read the table alone."
        )
    return path


def _note_unknown(data: Dataset, name: str) -> Dataset:
    """Return the dataset with a note on what is not known, with a warning where it matters."""
    if not data.has_labels:
        hint = _suggest(data.frame, "label")
        if hint:
            warnings.warn(f"{name} has no column 'label'.{hint}", DatasetWarning, stacklevel=3)
        return data.with_notes(f"The labels are not known ({name[0].lower()}{name[1:]} has no column 'label').")
    if not data.has_cases:
        message = CASES_UNKNOWN.format(remedy="a table with a column 'case'") + _suggest(data.frame, "case")
        warnings.warn(message, DatasetWarning, stacklevel=3)
        return data.with_notes(f"The cases are not known ({name[0].lower()}{name[1:]} has no column 'case').")
    return data


def _suggest(frame: pd.DataFrame, wanted: str) -> str:
    simple = {str(name).casefold().replace("_", " ").replace("-", " "): str(name) for name in frame.columns}
    found = next((simple[name] for name in _SYNONYMS[wanted] if name in simple), None)
    return "" if found is None else f" If the column {found!r} holds it, rename it to {wanted!r}."
