"""Rows of CSV text: separators, guarded cells, uneven rows."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breastcls.csv_text import guard_cell, parse_rows, unguard_cell, write_rows
from breastcls.errors import DatasetError


def parse(text):
    return parse_rows(text, "table.csv", DatasetError)


@given(st.text(max_size=12))
def test_a_guarded_cell_comes_back_and_is_no_formula(text):
    safe = guard_cell(text)
    assert unguard_cell(safe) == text
    assert not safe.startswith(("=", "@", "\t", "\r"))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_separators_line_ends_and_quoted_cells(separator, line_end):
    rows = [["path", "note"], ["a.png", "two\nlines"], ["b.png", 'a "quoted" word; a, b | c']]
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(rows)
    assert parse(stream.getvalue()) == rows


def test_the_first_line_of_excel_sets_the_separator():
    assert parse("sep=;\na;b,c\n1;2,3\n") == [["a", "b,c"], ["1", "2,3"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n\n1\n", r"line 4: 1 field \('1'\), but the first line has 2"),
        ("a;b\n1;2\n1;2;3\n", r"line 3: 3 fields"),
        ('a,b\n"1,2\n', "quotation marks"),
    ],
)
def test_errors_name_the_line(text, message):
    with pytest.raises(DatasetError, match=message):
        parse(text)


def test_written_rows_are_parsed_again():
    table = pd.DataFrame({"=case": ["=1+1", "-5", "x,y"], "n": [1, 2, 3]})
    rows = parse(write_rows(table))
    assert [[unguard_cell(cell) for cell in row] for row in rows] == [
        ["=case", "n"],
        ["=1+1", "1"],
        ["-5", "2"],
        ["x,y", "3"],
    ]
