"""Rows of CSV text, and cells that a spreadsheet would take for formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import pandas as pd

from breastcls.errors import BreastclsError
from breastcls.text_tables import format_count

_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE = 50
LARGEST_CELLS = 20_000_000
"""Most cells of a table, and most lines: two million rows of ten columns take about 2 GB of memory as text."""
_LONGEST_LINE = 2**20
_MOST_LINES_OF_ROW = 10_000
# A spreadsheet runs a cell that begins so as a formula; see OWASP, "CSV injection".
_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]", re.DOTALL)
_GUARDED = re.compile(r"'+[=+\-@\t\r＝＋－＠]", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def write_rows(table: pd.DataFrame) -> str:
    r"""Return a table as CSV text without its index, with guarded cells; see `guard_cell`.

    Example:
        >>> write_rows(pd.DataFrame({"case": ["=1+1", "7"], "x": [-1, 2]}))
        "case,x\n'=1+1,-1\n7,2\n"
    """
    guarded = table.rename(columns=lambda name: guard_cell(str(name)))
    for position, name in enumerate(table.columns):
        values = table.iloc[:, position]
        if pd.api.types.is_string_dtype(values) or values.dtype == object:
            texts = [value for value in values.dropna().unique() if isinstance(value, str)]
            written = {text: safe for text in texts if (safe := guard_cell(text)) != text}
            if written:
                guarded[guard_cell(str(name))] = values.map(lambda value, new=written: new.get(value, value))
    return str(guarded.to_csv(index=False, lineterminator="\n"))


def guard_cell(text: str) -> str:
    """Return text that no spreadsheet runs as a formula: it is preceded by an apostrophe. Numbers are unchanged.

    Example:
        >>> guard_cell("=cmd|' /C calc'!A0"), guard_cell("-1.5"), guard_cell("benign"), guard_cell("'=1")
        ("'=cmd|' /C calc'!A0", '-1.5', 'benign', "''=1")
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unguard_cell(text: str) -> str:
    """Return the text that `guard_cell` was given.

    Example:
        >>> unguard_cell("'=1+1"), unguard_cell("''=1"), unguard_cell("'t Hart")
        ('=1+1', "'=1", "'t Hart")
    """
    return text[1:] if _GUARDED.match(text) else text


def parse_rows(text: str, name: str, error: type[BreastclsError]) -> list[list[str]]:
    """Return the rows of CSV text, all of the same length, without empty ones.

    The separator (comma, semicolon, tab or vertical bar) is the one by which the first rows have the same number of
    fields, and most of them; a first line `sep=;`, as Excel writes it, sets it.

    Args:
        text: The text.
        name: Name of the file, for messages.
        error: The exception to raise.

    Raises:
        error: If a row has another number of fields than the first, a quotation mark is not closed, or there are more
            cells, lines or characters of a line than in a table of images.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    first, _, rest = text.partition("\n")
    given = re.fullmatch(r'"?sep=(.)"?', first.strip(" "))
    skipped = 1 if given else 0
    separator = given[1] if given else _find_separator(text)
    rows: list[list[str]] = []
    row_began = [0]
    lines = _bounded_lines(rest if given else text, row_began, name, error)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        for row in reader:
            row_began[0] = reader.line_num
            if not any(map(str.strip, row)):
                continue
            if len(rows) * len(row) > LARGEST_CELLS:
                raise error(too_many_cells(name))
            if rows and len(row) != len(rows[0]):
                raise error(_uneven(name, reader.line_num + skipped, row, rows[0], separator))
            rows.append(row)
    except csv.Error as problem:
        raise error(
            f"{name}, line {reader.line_num + skipped}: not a CSV table: {problem}. Check the quotation marks."
        ) from problem
    return rows


def too_many_cells(name: str) -> str:
    """Return the message about a table with more than `LARGEST_CELLS` cells."""
    return (
        f"{name} has more than {LARGEST_CELLS:,} cells or lines, more than a table of images. Read a larger table with "
        "pandas, and pass the columns."
    )


def _bounded_lines(text: str, row_began: list[int], name: str, error: type[BreastclsError]) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if len(line) > _LONGEST_LINE or number - row_began[0] > _MOST_LINES_OF_ROW:
            raise error(
                f"{name}, line {number}: a row of more than {_LONGEST_LINE:,} characters or {_MOST_LINES_OF_ROW:,} "
                "lines is not a row of a table of images. Check the line ends and the quotation marks."
            )
        if number > LARGEST_CELLS:
            raise error(too_many_cells(name))
        yield line


def _find_separator(text: str) -> str:
    best, found = (False, 1), ","
    text = text[:_LONGEST_LINE]
    for separator in _SEPARATORS:
        rows = []
        try:
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
                if any(map(str.strip, row)):
                    rows.append(len(row))
                if len(rows) == _SAMPLE:
                    break
        except csv.Error:
            continue
        rank = (bool(rows) and rows[0] > 1 and len(set(rows)) == 1, rows[0] if rows else 0)
        if rank > best:
            best, found = rank, separator
    return found


def _uneven(name: str, line: int, row: list[str], header: list[str], separator: str) -> str:
    shown = separator.join(row)[:80]
    decimal = " Numbers with decimal commas need another separator, or quotation marks." if separator == "," else ""
    return (
        f"{name}, line {line}: {format_count(len(row), 'field')} ({shown!r}), but the first line has {len(header)}, "
        f"separated by {separator!r}.{decimal} Put quotation marks around fields that contain the separator."
    )
