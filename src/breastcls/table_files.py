"""Reading tables as spreadsheets and other programs write them: CSV in any common form, gzip, Excel workbooks."""

from __future__ import annotations

import codecs
import datetime
import gzip
import os
import re
import stat
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from breastcls.csv_text import LARGEST_CELLS, parse_rows, too_many_cells, unguard_cell
from breastcls.errors import BreastclsError, DatasetWarning
from breastcls.identifiers import TEXT, clean_name
from breastcls.size_limits import LARGEST_MEMBER, LARGEST_RATIO, SizeError, check_archive

LARGEST_TABLE = 512 * 2**20
"""Largest size of a table in bytes, after unpacking: about three million rows of images."""
# What openpyxl and zipfile raise on damaged, encrypted or manipulated workbooks.
_DAMAGED_WORKBOOK = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, SyntaxError, RuntimeError, OverflowError),
    *(EOFError, zipfile.BadZipFile, zlib.error),
)

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+://")
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_KINDS = (
    (b"\xd0\xcf\x11\xe0", "an Excel file of the old format .xls", "Save it as .xlsx or CSV."),
    (b"PAR1", "a Parquet file", "Read it with pandas and pass the DataFrame."),
    (b"\x28\xb5\x2f\xfd", "a file compressed by Zstandard", "Unpack it first."),
    (b"BZh", "a file compressed by bzip2", "Unpack it first."),
    (b"\xfd7zXZ", "a file compressed by xz", "Unpack it first."),
    (b"SQLite format 3", "an SQLite database", "Read it with pandas and pass the DataFrame."),
    (b"%PDF", "a PDF file", "Export the table as CSV."),
    (b"\x89PNG", "an image", "Give the table that lists the images, or use load_folder."),
)


@dataclass(frozen=True, eq=False)
class TextTable:
    """A table as it is in a file.

    Attributes:
        frame: Text of all cells, dtype "string"; missing where the cell is empty or holds "nan".
        comment: The lines before the header that begin with a prefix that the reader accepts; empty without any.
        notes: What was assumed or left out, as sentences.
    """

    frame: pd.DataFrame
    comment: str
    notes: tuple[str, ...]


def read_text_table(
    path: str | os.PathLike[str],
    error: type[BreastclsError],
    *,
    encoding: str | None = None,
    comment_prefix: str | tuple[str, ...] = "# classes: ",
    stacklevel: int = 3,
) -> TextTable:
    """Read the table in a file as text.

    Read are CSV with comma, semicolon, tab or vertical bar (found from the first rows), in UTF-8, UTF-16 or UTF-32 with
    or without a byte-order mark, else Windows-1252; the same compressed by gzip; and Excel workbooks (.xlsx) with one
    sheet that is not empty. Names of columns are formatted by `clean_name`; empty rows at any place, empty columns
    without a name, and a numbered first column without a name (the index of pandas) are left out.

    Args:
        path: The file.
        error: The exception to raise.
        encoding: Text encoding, such as "cp1250"; found from the content by default.
        comment_prefix: How the lines before the header may begin: one such line, or one for each of several.
        stacklevel: Of warnings; 3 for the caller of the function that calls this one.

    Raises:
        error: If the file is not such a table; the message names the cause.

    Warns:
        DatasetWarning: If the encoding was assumed.
    """
    content = _read_file(path, error)
    notes: tuple[str, ...] = ()
    comment = ""
    if content.startswith(b"PK\x03\x04"):
        rows = _read_workbook(Path(path), error)
    else:
        text, notes = _decode(content, path, error, encoding)
        for note in notes:
            warnings.warn(note, DatasetWarning, stacklevel=stacklevel)
        comment, text = _take_comment(text, comment_prefix)
        rows = parse_rows(text, os.fspath(path), error)
    if not rows:
        raise error(f"The table {path} is empty.")
    frame, more = _to_frame(rows, path, error)
    return TextTable(frame, comment, (*notes, *more))


def _read_file(path: str | os.PathLike[str], error: type[BreastclsError]) -> bytes:
    if _ADDRESS.match(os.fspath(path)):
        raise error(f"{path} is an address and not a file. Download the table, and pass the path of the file.")
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise error(f"{path} is a folder or another special file, not a table. Give the path of a file.")
        if found.st_size > LARGEST_TABLE:
            raise error(_too_large(path, found.st_size))
        content = Path(path).read_bytes()
        return _unpack(path, content, error) if content.startswith(b"\x1f\x8b") else content
    except (OSError, ValueError, EOFError, zlib.error) as problem:
        if isinstance(problem, BreastclsError):
            raise
        raise error(f"Cannot read the table {path}: {getattr(problem, 'strerror', None) or problem}.") from problem


def _unpack(path: str | os.PathLike[str], content: bytes, error: type[BreastclsError]) -> bytes:
    limit = min(LARGEST_TABLE, max(LARGEST_MEMBER, LARGEST_RATIO * len(content)))
    with gzip.open(path) as stream:
        unpacked = stream.read(limit + 1)
    if len(unpacked) > limit:
        raise error(_too_large(path, len(unpacked)))
    return unpacked


def _too_large(path: Any, size: int) -> str:
    return (
        f"{path} holds more than {size / 2**20:.0f} MiB after unpacking, which is no table of images (at most "
        f"{LARGEST_TABLE / 2**20:.0f} MiB, and {LARGEST_RATIO} times the size of the file). Read a larger table with "
        "pandas, and pass the columns."
    )


def _decode(
    content: bytes, path: Any, error: type[BreastclsError], encoding: str | None
) -> tuple[str, tuple[str, ...]]:
    for start, kind, remedy in _OTHER_KINDS:
        if content.startswith(start):
            raise error(f"{path} is {kind}, not a CSV table. {remedy}")
    if encoding is not None:
        try:
            return content.decode(encoding).removeprefix("\ufeff"), ()
        except (LookupError, UnicodeError) as problem:
            raise error(f"The table {path} is not text in the encoding {encoding!r}: {problem}.") from problem
    found = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), _guess_utf16(content))
    try:
        text = content.decode(found or "utf-8")
    except UnicodeError as problem:
        if found is not None:
            raise error(f"The table {path} is damaged: it is not {found}: {problem}.") from problem
        return _decode_western(content, path, error)
    if "\0" in text:
        raise error(f"{path} is not a CSV table: it contains zero bytes.")
    if re.match(r"\s*<(!doctype|html|\?xml|table)", text, re.IGNORECASE):
        raise error(f"{path} is an HTML or XML file, not a CSV table. Save the table as CSV or .xlsx.")
    return text, ()


def _guess_utf16(content: bytes) -> str | None:
    """Return the UTF-16 variant of text without a byte-order mark: every second byte of Latin text is zero."""
    head = content[:2000]
    if len(head) < 4 or head.count(0) < len(head) // 4:
        return None
    return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"


def _decode_western(content: bytes, path: Any, error: type[BreastclsError]) -> tuple[str, tuple[str, ...]]:
    remedy = "Save it as UTF-8 (in Excel: 'CSV UTF-8'), or pass encoding=, such as 'cp1252' or 'cp1250'."
    try:
        text = content.decode("cp1252")
    except UnicodeError as problem:
        raise error(f"The text of {path} is neither UTF-8 nor Windows-1252: {problem}. {remedy}") from problem
    if "\0" in text:
        raise error(f"{path} is not a CSV table: it contains zero bytes.")
    word = next(word for word in re.findall(r"[^\s,;|]+", text) if not word.isascii())
    name = os.path.basename(path)
    assumed = f"{name} is not UTF-8 and was read as Windows-1252, with names such as {word[:40]!r}."
    return text, (f"{assumed} {remedy}",)


def _take_comment(text: str, prefixes: str | tuple[str, ...]) -> tuple[str, str]:
    lines = []
    for _ in (prefixes,) if isinstance(prefixes, str) else prefixes:
        first, _, rest = text.partition("\n")
        if not first.startswith(prefixes):
            break
        lines.append(first.rstrip("\r"))
        text = rest
    return "\n".join(lines), text


def _read_workbook(path: Path, error: type[BreastclsError]) -> list[list[str]]:
    try:
        import openpyxl
    except ImportError as problem:
        raise error(
            f"Reading the Excel file {path} needs openpyxl: pip install 'breastcls[excel]'. Or save the table as CSV."
        ) from problem
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, LARGEST_TABLE)
        # Not by its name, which need not end like that of a workbook.
        with open(path, "rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on styles and validations, which have no effect on the cells
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
            sheets = {sheet.title: _read_sheet(sheet, path, error) for sheet in book.worksheets}
            if any("" in row for rows in sheets.values() for row in rows):
                formulas = openpyxl.load_workbook(stream, read_only=True, keep_links=False)
                _check_computed(book.worksheets, formulas.worksheets, path, error)
    except SizeError as problem:
        raise error(f"{path} is not read: {problem}. Save the table as CSV.") from problem
    except _DAMAGED_WORKBOOK as problem:
        if isinstance(problem, BreastclsError):
            raise
        raise error(f"{path} is not an Excel workbook (.xlsx), or is damaged: {problem}.") from problem
    filled = {title: rows for title, rows in sheets.items() if rows}
    if len(filled) > 1:
        raise error(
            f"{path} has {len(filled)} sheets with content: {', '.join(filled)}. Save the sheet with the images as a "
            "file of its own."
        )
    return next(iter(filled.values()), [])


def _read_sheet(sheet: Any, path: Path, error: type[BreastclsError]) -> list[list[str]]:
    rows: list[list[str]] = []
    # A sheet may declare a million rows of 16,384 cells that it does not have.
    sheet.reset_dimensions()
    count = 0
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        count += len(cells)
        if max(count, number) > LARGEST_CELLS:
            raise error(too_many_cells(str(path)))
        for cell in cells:
            if cell.data_type == "e":
                raise error(f"{path}: the cell {cell.coordinate} of {sheet.title} holds the error {cell.value}.")
        rows.append([_cell_text(cell.value) for cell in cells])
    width = max((len(row) for row in rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows if any(row)]


def _check_computed(values: Sequence[Any], formulas: Sequence[Any], path: Path, error: type[BreastclsError]) -> None:
    """Raise an error where a cell is read as empty because it has a formula that no program has computed."""
    for sheet, other in zip(values, formulas, strict=True):
        other.reset_dimensions()
        for cells, written in zip(sheet.iter_rows(), other.iter_rows(), strict=False):
            for cell, formula in zip(cells, written, strict=False):
                # A formula whose result is an empty text has the type "str".
                if cell.value is None and cell.data_type == "n" and formula.data_type == "f":
                    raise error(
                        f"{path}: the cell {formula.coordinate} of {sheet.title} holds the formula {formula.value} "
                        "without its result. Open the workbook in Excel or LibreOffice and save it, or replace "
                        "formulas by their values."
                    )


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else str(value)


def _to_frame(rows: list[list[str]], path: Any, error: type[BreastclsError]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    names = [clean_name(unguard_cell(name)) for name in rows[0]]
    columns = list(zip(*rows[1:], strict=True)) if len(rows) > 1 else [()] * len(names)
    notes: tuple[str, ...] = ()
    kept: dict[str, list[str]] = {}
    for number, (name, values) in enumerate(zip(names, columns, strict=True), start=1):
        if name in kept:
            raise error(f"The table {path} has the column {name!r} more than once. Rename or remove one of them.")
        if name:
            kept[name] = [unguard_cell(value) for value in values]
        elif number == 1 and list(values) == list(map(str, range(len(values)))) and values:
            notes = ("The first column, numbers of rows without a name, was left out.",)
        elif any(value.strip() for value in values):
            raise error(f"Column {number} of the table {path} has no name. Add one to the first line, or remove it.")
    frame = pd.DataFrame(kept, dtype=TEXT)
    empty = frame.apply(lambda column: column.str.strip().isin(["", "nan", "NaN", "<NA>"]))
    return frame.mask(empty, pd.NA), notes
