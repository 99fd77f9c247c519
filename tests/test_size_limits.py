"""Files that unpack or grow to more than fits in memory are refused before they do."""

import gzip
import io
import json
import os
import zipfile

import h5py
import numpy as np
import pytest

import breastcls as bc
from breastcls.csv_text import parse_rows
from breastcls.size_limits import MIB, SizeError, check_archive, parse_json, read_json, read_text
from breastcls.training.checkpointing.checkpoints import Checkpoints
from breastcls.training.checkpointing.resume import load_run
from support.platforms import POSIX

ZEROS = bytes(66 * MIB)


def write_zip(path, parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def array_header(shape, dtype="<f4"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def weights_with(shape):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.create_dataset("layers/dense/vars/0", shape, "f4", chunks=(1000, 1000), compression="gzip")
    return stream.getvalue()


def test_small_archives_may_have_any_ratio_and_parts_may_not_overlap(tmp_path):
    with zipfile.ZipFile(write_zip(tmp_path / "small.zip", {"a": bytes(2 * MIB), "b": b"1"})) as archive:
        check_archive(archive)
        with pytest.raises(SizeError, match="at most 1 MiB"):
            check_archive(archive, MIB)
        archive.infolist()[1].header_offset = 3
        with pytest.raises(SizeError, match="overlap"):
            check_archive(archive)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"config.json": ZEROS}, "'config.json' unpacks to 66 MiB"),
        ({"model.weights.h5": ZEROS}, "'model.weights.h5' unpacks to 66 MiB"),
        ({"assets/vocabulary": ZEROS}, "'assets/vocabulary' unpacks to 66 MiB"),
        ({"breastcls.json": b" " * 17 * MIB}, "is not a model card"),
        ({"breastcls.json": b"[" * 10**5}, "nested too deeply"),
        ({"model.weights.h5": weights_with((10_000, 10_000))}, "declare 381 MiB and store 0.0 MiB"),
        ({"config.json": b'{"units": 100000000000}'}, "a layer of 100000000000 units"),
    ],
)
def test_a_model_file_that_would_fill_the_memory_is_refused(tmp_path, parts, message):
    parts = {"config.json": b"{}", "model.weights.h5": weights_with((1000, 1000)), **parts}
    with pytest.raises(bc.errors.ModelError, match=message):
        bc.load_model(write_zip(tmp_path / "model.keras", parts))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"learner-0.npy": ZEROS}, "unpacks to 66 MiB"),
        ({"learner-0.npy": array_header((10**6, 10**6)) + bytes(100)}, "declares the shape"),
        ({"meta.npy": array_header((17 * MIB,), "|u1") + b" " * 17 * MIB}, "its part meta.npy has 17 MiB"),
        ({"learner-0.npy": array_header((4,), "|O") + bytes(64)}, "allow_pickle"),
    ],
)
def test_a_checkpoint_that_would_fill_the_memory_is_skipped(tmp_path, parts, message):
    checkpoints = Checkpoints(tmp_path)
    write_zip(checkpoints.folder / "phase-0.npz", {"meta.npy": array_header((2,), "|u1") + b"{}", **parts})
    with pytest.warns(bc.errors.TrainingWarning, match=message):
        assert checkpoints.read("phase-0") is None


def test_a_compressed_table_that_would_fill_the_memory_is_refused(tmp_path):
    packed = tmp_path / "images.csv.gz"
    with gzip.open(packed, "wb", compresslevel=1) as stream:
        for _ in range(3):
            stream.write(ZEROS)
    with pytest.raises(bc.errors.DatasetError, match="MiB after unpacking"):
        bc.load_table(packed)
    pytest.importorskip("openpyxl")
    book = write_zip(tmp_path / "images.xlsx", {"xl/worksheets/sheet1.xml": ZEROS})
    with pytest.raises(bc.errors.DatasetError, match=r"sheet1.xml' unpacks to 66 MiB"):
        bc.load_table(book)


@pytest.mark.parametrize("text", ["," * 2**21, '"a\n",' * 20_000], ids=["one long line", "one row of many lines"])
def test_a_row_without_end_is_refused(text):
    with pytest.raises(bc.errors.DatasetError, match="is not a row of a table of images"):
        parse_rows("path,label\n" + text, "images.csv", bc.errors.DatasetError)


def test_a_table_has_a_limit_of_cells(monkeypatch):
    monkeypatch.setattr("breastcls.csv_text.LARGEST_CELLS", 10)
    assert len(parse_rows("a,b\n" * 5, "images.csv", bc.errors.DatasetError)) == 5
    with pytest.raises(bc.errors.DatasetError, match="more than 10 cells or lines"):
        parse_rows("a,b\n" * 7, "images.csv", bc.errors.DatasetError)


def test_a_sheet_may_declare_cells_that_it_does_not_have(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["path", "case"])
    book.active.append(["a.png", "c1"])
    book.save(tmp_path / "plain.xlsx")
    with zipfile.ZipFile(tmp_path / "plain.xlsx") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace(b'ref="A1:B2"', b'ref="A1:XFD1048576"')
    assert b"XFD1048576" in parts[sheet]
    (tmp_path / "a.png").write_bytes(b"")
    assert bc.load_table(write_zip(tmp_path / "images.xlsx", parts)).cases.tolist() == ["c1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 10**5, "nested too deeply"),
        ("[" + "9" * 10**4 + "]", "digits"),
        ('["\\ud800"]', "surrogate"),
        ("[Infinity]", "contains Infinity"),
        ("[", "delimiter|Expecting"),
    ],
)
def test_hostile_json_raises_value_errors(text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text)


def test_json_of_python_and_pairs_of_surrogates_are_read():
    assert parse_json('["\\ud83d\\ude00"]') == ["\N{GRINNING FACE}"]
    assert parse_json("[Infinity]", nan=True) == [float("inf")]


def test_a_run_record_has_a_limit_of_size(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"history": " " * 17 * MIB}), encoding="utf-8")
    with pytest.raises(SizeError, match="larger than 16 MiB"):
        read_json(path)
    with pytest.raises(bc.errors.TrainingError, match="larger than 16 MiB"):
        load_run(tmp_path)


@POSIX
def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", "/dev/zero"):
        with pytest.raises(SizeError, match="not a regular file"):
            read_text(path)
