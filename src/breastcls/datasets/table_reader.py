"""Reading a dataset from a CSV file or a DataFrame."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_name import base_name
from breastcls.datasets.folder import CASES_UNKNOWN
from breastcls.datasets.image_table import CLASSES_LINE, TEXT_COLUMNS, read_classes
from breastcls.errors import DatasetError, DatasetWarning


def load_table(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    classes: Sequence[str] | None = None,
    root: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Read a table of images, such as `Dataset.to_csv` writes.

    Args:
        source: A CSV file or a DataFrame with the columns `path`, `label` and, if possible, `case`; optionally `slide`,
            `magnification`, `subtype`, `x`, `y` and `source`. Other columns are ignored.
        classes: Class names, the positive one last. By default those that `to_csv` wrote to the file, or else the
            labels in alphabetical order.
        root: Folder to which relative paths refer; by default the folder of the CSV file.

    Returns:
        The dataset. `load_table(data.to_csv(file), root=data.root)` equals `data`.

    Raises:
        DatasetError: If the file cannot be read, a column is missing or has missing values, a label is unknown, or
            image files do not exist; the message names the first.

    Example:
        >>> frame = pd.DataFrame({"path": ["a.png"], "label": ["benign"], "case": ["7"]})
        >>> load_table(frame, classes=["benign", "malignant"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        breastcls.errors.DatasetError: 1 of 1 image files do not exist, first a.png. Correct the paths...
    """
    written: tuple[str, ...] | None = None
    if isinstance(source, pd.DataFrame):
        frame = source.copy()
    else:
        frame, written = _read_csv(Path(source))
        root = Path(source).parent if root is None else root
    notes: tuple[str, ...] = ()
    if "case" not in frame and {"path", "label"} <= set(frame):
        warnings.warn(CASES_UNKNOWN.format(remedy="a table with a column 'case'"), DatasetWarning, stacklevel=2)
        frame = frame.assign(case=frame["path"])
        notes = ("Each image counts as a case of its own (the table has no column 'case').",)
    if root is not None and "path" in frame:
        frame["path"] = [os.path.join(root, str(path)) if isinstance(path, str) else path for path in frame["path"]]
    if classes is None:
        classes = written or (sorted(frame["label"].dropna().astype(str).unique()) if "label" in frame else ())
    if not len(frame):
        raise DatasetError("The table has no rows.")
    name = "" if isinstance(source, pd.DataFrame) else f"table {base_name(source)}"
    data = Dataset(frame, tuple(classes), notes, name, None if root is None else os.fspath(root))
    missing = [path for path in data.paths if not os.path.exists(path)]
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(data)} image files do not exist, first {missing[0]}. Correct the paths, "
            "or pass root=."
        )
    return data


def _read_csv(path: Path) -> tuple[pd.DataFrame, tuple[str, ...] | None]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"Cannot read the table {path}: {error}.") from error
    classes = None
    if text.startswith(CLASSES_LINE):
        first, text = text.split("\n", 1)
        classes = read_classes(first)
    try:
        # "NA" may be the name of a class or patient; only empty fields are missing values.
        dtype = dict.fromkeys(TEXT_COLUMNS, "string")
        frame = pd.read_csv(io.StringIO(text), dtype=dtype, keep_default_na=False, na_values=[""])
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DatasetError(f"{path} is not a CSV table: {error}.") from error
    return frame, classes
