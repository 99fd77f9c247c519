"""Cells of a table that a person or a spreadsheet program wrote: names of columns, numbers, paths."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence

import pandas as pd

from breastcls.errors import BreastclsError, DatasetError
from breastcls.identifiers import TEXT, clean_name, similarity_key
from breastcls.text_tables import format_count

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WITH_COMMA = re.compile(r"[+-]?\d+(,\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
_MAGNIFICATION = re.compile(r"[xX×]\s*(\d+)|(\d+)\s*[xX×]")


def match_columns(frame: pd.DataFrame, known: Sequence[str], name: str, error: type[BreastclsError]) -> pd.DataFrame:
    """Rename columns whose names differ from known ones in white space, letter case or separators only.

    Args:
        frame: The table.
        known: Names of columns.
        name: Name of the table, for messages.
        error: The exception to raise.

    Raises:
        error: If two columns have the same name after that.

    Example:
        >>> table = pd.DataFrame(columns=["Path ", "LABEL", "Centre"])
        >>> match_columns(table, ["path", "label"], "", DatasetError).columns.tolist()
        ['path', 'label', 'Centre']
    """
    keys = {similarity_key(one): one for one in known}
    names = [str(column) if column in known else clean_name(str(column)) for column in frame.columns]
    renamed = [one if one in known else keys.get(similarity_key(one), one) for one in names]
    repeated = [one for one in dict.fromkeys(renamed) if renamed.count(one) > 1]
    if repeated:
        given = [str(old) for old, new in zip(frame.columns, renamed, strict=True) if new == repeated[0]]
        raise error(f"{name} has the column {repeated[0]!r} more than once: {given}. Rename or remove one of them.")
    return frame.set_axis(renamed, axis="columns")


def parse_numbers(values: pd.Series, name: str, error: type[BreastclsError]) -> pd.Series:
    """Return a column of numbers, which may be text with a decimal comma or point, or a magnification such as "40X".

    Args:
        values: The column.
        name: Name of the table, for messages.
        error: The exception to raise.

    Returns:
        A series of float64 with missing values as NaN.

    Raises:
        error: If a value is no number; the message names its row.

    Example:
        >>> parse_numbers(pd.Series(["0,25", " 40X", "1e-3", None]), "", DatasetError).tolist()
        [0.25, 40.0, 0.001, nan]
    """
    if pd.api.types.is_numeric_dtype(values):
        return values.astype("Float64").astype(float)
    numbers = {value: _parse(str(value)) for value in values.dropna().unique()}
    wrong = [value for value, number in numbers.items() if number is None]
    if wrong:
        row = int((values == wrong[0]).to_numpy(dtype=bool, na_value=False).argmax())
        raise error(
            f"{name}: column {values.name!r} holds {str(wrong[0])[:40]!r} in row {row}; expected a number. Correct it, "
            "or leave it empty."
        )
    return values.astype(object).map(numbers).astype(float)


def _parse(text: str) -> float | None:
    text = clean_name(text)
    magnification = _MAGNIFICATION.fullmatch(text)
    if magnification:
        text = magnification[1] or magnification[2]
    if "," in text and "." not in text:
        text = text.replace(",", ".")
    return float(text) if _NUMBER.fullmatch(text) else (float("nan") if not text else None)


def read_decimal_commas(values: pd.Series) -> pd.Series:
    """Return text with decimal points, if all of it is numbers, some with a decimal comma; else the same.

    Text in which every comma is followed by three digits is not changed: it may group thousands.

    Example:
        >>> read_decimal_commas(pd.Series(["0,5", "12", None], dtype="string")).tolist()
        ['0.5', '12', <NA>]
        >>> read_decimal_commas(pd.Series(["1,234", "a,b"], dtype="string")).tolist()
        ['1,234', 'a,b']
    """
    texts = [clean_name(text) for text in values.dropna().unique()]
    decimals = [text for text in texts if "," in text]
    if not decimals or not all(map(_WITH_COMMA.fullmatch, texts)) or all(map(_THOUSANDS.fullmatch, decimals)):
        return values
    return values.map(clean_name, na_action="ignore").str.replace(",", ".", regex=False).astype(TEXT)


def find_files(
    paths: pd.Series, root: str | os.PathLike[str] | None, name: str, *, must_exist: bool = True
) -> list[str]:
    """Return the paths of existing files, joined to a root.

    A path that does not exist is tried with "/" for each backslash, without surrounding white space, and in the other
    Unicode compositions.

    Args:
        paths: Paths as written in the table.
        root: Folder of relative paths, or None for the working directory.
        name: Name of the table, for messages.
        must_exist: Whether a file that does not exist is an error; otherwise its path is returned as it is.

    Raises:
        DatasetError: If a path is missing or the file does not exist.
    """
    empty = (paths.isna() | (paths.astype(TEXT).str.strip() == "")).to_numpy(dtype=bool, na_value=True)
    if empty.any():
        raise DatasetError(
            f"{name}: column 'path' is empty in {format_count(int(empty.sum()), 'row')}, first in row "
            f"{int(empty.argmax())}. Fill in "
            "these values, or remove the rows."
        )
    found, missing = [], []
    for path in map(os.fspath, paths):
        options = (os.path.join(root or "", one) for one in _spellings(str(path)))
        existing = next((one for one in options if _exists(one)), None)
        found.append(existing or str(path))
        if existing is None:
            missing.append(str(path))
    if missing and must_exist:
        raise DatasetError(_describe_missing(missing, len(found), root))
    return found


def _spellings(path: str) -> Iterable[str]:
    yield path
    slashes = path.strip().replace("\\", "/")
    for one in (path.strip(), slashes, unicodedata.normalize("NFC", slashes), unicodedata.normalize("NFD", slashes)):
        if one != path:
            yield one


def _exists(path: str) -> bool:
    try:
        return os.path.exists(path) and not os.path.isdir(path)
    except ValueError:  # a zero byte
        return False


def _describe_missing(missing: Sequence[str], total: int, root: str | os.PathLike[str] | None) -> str:
    first = missing[0]
    below = "" if root is None or os.path.isabs(first) else f" (below {os.fspath(root)})"
    remedy = "Correct the paths, or pass root=."
    if _WINDOWS.match(first):
        remedy = (
            "This is an absolute path of Windows: write paths relative to the folder of the images, and pass that "
            "folder as root=."
        )
    elif os.path.isdir(os.path.join(root or "", first)):
        remedy = f"{first!r} is a folder: write the paths of the images in it."
    elif re.match(r"[a-z]+://", first):
        remedy = "This is an address and not a file: download the images, and write their paths."
    return f"{len(missing)} of {total} image files do not exist, first {first}{below}. {remedy}"
