import json
import shutil

import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import DatasetError, ImageError


@pytest.fixture
def data(tmp_path, draw):
    paths = [draw(tmp_path / f"{n}.png", n, (40, 40)) for n in range(5)]
    paths[1].write_bytes(paths[1].read_bytes()[:100])
    paths[2].write_bytes(b"")
    shutil.copy(paths[3], paths[4])
    return bc.Dataset.from_columns(
        ("b", "m"), path=[str(p) for p in paths], label=["b", "b", "b", "m", "m"], case=list("aabcd")
    )


def test_dropping_leaves_the_valid_images_and_lists_the_others(data):
    report = data.check(on_error="drop", progress=False)
    assert report.clean.paths == [data.paths[0], data.paths[3]]
    assert report.left_out == (data.paths[1], data.paths[2], data.paths[4])
    assert dict(zip(report.findings["row"], report.findings["problem"], strict=True)) == {
        1: "truncated",
        2: "zero-byte",
        4: "same-file",
    }
    assert "3 of 5 images were left out" in report.clean.notes[0]
    assert "5 images checked, 3 with findings" in str(report)
    assert len(json.loads(json.dumps(report.to_dict()))["findings"]) == 3


def test_raising_is_the_default_and_names_the_files(data):
    with pytest.raises(ImageError, match=r"2\.png(.|\n)*1\.png(.|\n)*4\.png(.|\n)*on_error='drop'"):
        data.check(progress=False)


def test_valid_images_are_unchanged(data):
    report = data[[0, 3]].check(progress=False)
    assert len(report.clean) == 2
    assert report.clean.notes == ()
    assert "no problems found" in str(report)


def test_copies_across_cases_are_marked(data):
    findings = data.check(on_error="drop", progress=False).findings
    assert bool(findings.loc[findings["row"] == 4, "across_cases"].item()) is True


def test_arguments(data):
    with pytest.raises(DatasetError, match="on_error"):
        data.check(on_error="ignore")


@pytest.mark.real
def test_the_real_images_can_all_be_read(real_data):
    data = bc.load_breakhis(real_data / "BreaKHis_v1")
    report = data.check(progress=False, near_distance=None)
    assert report.left_out == ()
    assert np.isin(report.findings["problem"], ["odd-size", "near-constant"]).all()
