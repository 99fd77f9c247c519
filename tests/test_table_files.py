import gzip
import os
import warnings
import zipfile

import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breastcls import table_files
from breastcls.csv_text import guard_cell, unguard_cell, write_rows
from breastcls.errors import DatasetError, DatasetWarning
from breastcls.identifiers import clean_name
from breastcls.table_files import read_text_table

HEADER = ["path", "label", "Café"]
ROWS = [["a.png", "benign", "0,5"], ["b.png", "malignant", "Lyon; Oslo"], ["c,d.png", "Über", ""]]


def read(path, **options):
    return read_text_table(path, DatasetError, **options)


def write(rows, separator, newline="\r\n"):
    quoted = [
        ['"' + cell.replace('"', '""') + '"' if set(cell) & set(',;|\t"\n') else cell for cell in row] for row in rows
    ]
    return newline.join(separator.join(row) for row in quoted) + newline


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_same_table_in_every_form(tmp_path, separator, encoding, packed):
    content = write([HEADER, *ROWS], separator, "\r" if encoding == "utf-32" else "\r\n").encode(encoding)
    path = tmp_path / ("table.csv.gz" if packed else "table.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    found = read(path)
    assert found.frame.columns.tolist() == HEADER
    assert found.frame.fillna("").to_numpy().tolist() == ROWS


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-16"]),
)
def test_any_cells_are_read_as_they_were_written(tmp_path, rows, separator, encoding):
    rows = [["name", *row] for row in rows]
    path = tmp_path / "cells.csv"
    path.write_bytes(write([["one", "two", "three"], *rows], separator).encode(encoding))
    found = read(path).frame.fillna("").to_numpy().tolist()
    expected = [
        ["" if cell.strip() in ("nan", "NaN", "<NA>", "") else unguard_cell(cell) for cell in row] for row in rows
    ]
    assert found == expected


@given(st.text(max_size=12))
def test_a_guarded_cell_is_no_formula_and_is_restored(text):
    guarded = guard_cell(text)
    assert unguard_cell(guarded) == text or guarded == text
    assert not guarded.startswith(tuple("=@\t\r＝＋－＠"))
    if guarded[:1] in ("+", "-"):
        float(guarded)


def test_written_tables_hold_no_formula(tmp_path):
    table = pd.DataFrame({"=HYPERLINK(1)": ["@SUM(A1)", "+1-1", "-2"], "x": [-1, 2, 3], "ok": ["a", "b", "'=c"]})
    path = tmp_path / "table.csv"
    path.write_text(write_rows(table), encoding="utf-8")
    assert path.read_text(encoding="utf-8").splitlines()[1] == "'@SUM(A1),-1,a"
    assert read(path).frame.columns.tolist() == table.columns.tolist()
    assert read(path).frame.to_numpy().tolist() == table.astype(str).to_numpy().tolist()


def test_excel_workbooks(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["Path", "case", "date", "p"],
        ["a.png", 7, pd.Timestamp("2024-05-01"), 0.25],
        ["b.png", 8.0, None, True],
    ):
        sheet.append(row)
    book.create_sheet("empty")
    book.save(tmp_path / "table.xlsx")
    found = read(tmp_path / "table.xlsx").frame.fillna("").to_numpy().tolist()
    assert found == [["a.png", "7", "2024-05-01T00:00:00", "0.25"], ["b.png", "8", "", "True"]]
    book["empty"].append(["more"])
    book.save(tmp_path / "two.xlsx")
    with pytest.raises(DatasetError, match="2 sheets with content: Sheet, empty"):
        read(tmp_path / "two.xlsx")
    (tmp_path / "broken.xlsx").write_bytes((tmp_path / "two.xlsx").read_bytes()[:900])
    with pytest.raises(DatasetError, match="damaged"):
        read(tmp_path / "broken.xlsx")


def test_a_workbook_is_known_by_its_content_and_not_by_its_name(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["path", "case"])
    book.active.append(["a.png", "P1"])
    for name in ("table.csv", "table"):
        book.save(tmp_path / name)
        assert read(tmp_path / name).frame.to_numpy().tolist() == [["a.png", "P1"]]


def test_a_formula_without_its_result_is_no_empty_cell(tmp_path):
    """Programs write formulas without their results; a column of cases would be read as not known."""
    book = openpyxl.Workbook()
    for row in (["path", "note", "case"], ["a.png", None, "=A2"]):
        book.active.append(row)
    book.save(tmp_path / "table.xlsx")
    with pytest.raises(DatasetError, match="the cell C2 of Sheet holds the formula =A2 without its result"):
        read(tmp_path / "table.xlsx")
    # Where the result is an empty text, the cell is empty.
    with zipfile.ZipFile(tmp_path / "table.xlsx") as old, zipfile.ZipFile(tmp_path / "text.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'r="C2"', b'r="C2" t="str"'))
    assert read(tmp_path / "text.xlsx").frame.fillna("").to_numpy().tolist() == [["a.png", "", ""]]


def test_western_text_is_read_with_a_warning(tmp_path):
    (tmp_path / "table.csv").write_bytes("path;case\na.png;Müller\n".encode("cp1252"))
    with pytest.warns(DatasetWarning, match="read as Windows-1252, with names such as 'Müller'"):
        assert read(tmp_path / "table.csv").frame["case"].tolist() == ["Müller"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(tmp_path / "table.csv", encoding="cp1252").frame["case"].tolist() == ["Müller"]
    with pytest.raises(DatasetError, match="not text in the encoding 'utf-8'"):
        read(tmp_path / "table.csv", encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"path,label\na.png\n", "line 2: 1 field .* but the first line has 2"),
        (b"path,p\na.png,0,5\n", "line 2: 3 fields.*decimal commas"),
        (b'path,label\n"a.png,b\n', "not a CSV table: unexpected end of data"),
        (b"path,label,path\na,b,c\n", "'path' more than once"),
        (b"path,label,\xef\xbb\xbfpath \na,b,c\n", "'path' more than once"),
        (b"path,,label\na,b,c\n", "Column 2 of the table .* has no name"),
        (b"\xd0\xcf\x11\xe0\xa1", "old format .xls"),
        (b"PAR1....", "a Parquet file"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"BZh91AY", "bzip2"),
        (b"path\na\0b\n", "zero bytes"),
        (b"path\n\x81\x8d\n", "neither UTF-8 nor Windows-1252"),
        (b"\x1f\x8b\x08\x00broken", "Cannot read the table"),
        (b"PK\x03\x04broken", "not an Excel workbook"),
        (b"\xff\xfea\x00b", "is damaged: it is not utf-16"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, content, message):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        read(tmp_path / "table.csv")


def test_only_files_are_read(tmp_path):
    for address in (
        "http://host/table.csv",
        "https://host/a.csv",
        "s3://bucket/a.csv",
        "file:///etc/passwd",
        "ftp://h/a",
    ):
        with pytest.raises(DatasetError, match="is an address and not a file"):
            read(address)
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path, tmp_path / "pipe.csv"):
        with pytest.raises(DatasetError, match="special file"):
            read(path)
    with pytest.raises(DatasetError, match="No such file"):
        read(tmp_path / "absent.csv")


def test_unpacking_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(table_files, "LARGEST_TABLE", 2**20)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"path\n" + b"a" * 2**22))
    with pytest.raises(DatasetError, match="more than 1 MiB after unpacking"):
        read(tmp_path / "bomb.csv.gz")
    (tmp_path / "large.csv").write_bytes(b"path\n" + b"a" * 2**21)
    with pytest.raises(DatasetError, match="after unpacking"):
        read(tmp_path / "large.csv")
    book = openpyxl.Workbook()
    book.active.append(["a" * 30000])
    for _ in range(60):
        book.active.append(["b" * 30000 + str(_)])
    book.save(tmp_path / "bomb.xlsx")
    with pytest.raises(DatasetError, match="parts unpack to 2 MiB"):
        read(tmp_path / "bomb.xlsx")


def test_what_spreadsheets_and_pandas_add_is_left_out(tmp_path):
    (tmp_path / "excel.csv").write_text(
        "sep=;\n Path ;\u00a0Label;;\na.png;b;;\n;;;\nc.png;m;;\n;;;\n", encoding="utf-8"
    )
    found = read(tmp_path / "excel.csv").frame
    assert found.columns.tolist() == ["Path", "Label"]
    assert found["Path"].tolist() == ["a.png", "c.png"]
    pd.DataFrame({"path": ["a", "b"]}).to_csv(tmp_path / "index.csv")
    assert read(tmp_path / "index.csv").frame.columns.tolist() == ["path"]
    assert "numbers of rows" in read(tmp_path / "index.csv").notes[0]
    assert clean_name("\ufeffpath") == "path"
