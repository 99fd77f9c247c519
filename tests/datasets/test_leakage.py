import dataclasses
import json
import shutil

import pandas as pd
import pytest

import breastcls as bc
from breastcls.datasets.leakage_report import join_reports
from breastcls.errors import ImageError, LeakageError


def _dataset(paths, cases, slides=None):
    slides = slides or cases
    return bc.Dataset.from_columns(("b", "m"), path=paths, label=["b"] * len(paths), case=cases, slide=slides)


@pytest.fixture
def images(tmp_path, draw):
    return [str(draw(tmp_path / f"{n}.png", n)) for n in range(6)]


def test_nothing_shared(images):
    report = bc.audit_leakage(_dataset(images[:3], list("abc")), _dataset(images[3:], list("def")))
    assert report.clean
    report.raise_if_leaking()
    assert "No leakage" in str(report)


def test_cases_files_and_pixels_are_found(tmp_path, images):
    import cv2

    copy = str(tmp_path / "copy.png")
    shutil.copy(images[0], copy)
    other = str(tmp_path / "other.bmp")
    cv2.imwrite(other, cv2.imread(images[1]))
    train = _dataset(images[:3], ["a", "b", "c"], ["a1", "b1", "c1"])
    test = _dataset([copy, other, images[4]], ["x", "y", "c"], ["x1", "y1", "c2"])
    report = bc.audit_leakage(train, test)
    assert report.shared_cases == ("c",)
    assert report.shared_slides == ()
    assert report.identical_files == ((images[0], copy),)
    assert report.identical_pixels == ((images[1], other),)
    assert report.test_images_in_shared_cases == 1
    assert not report.clean
    assert "33% of the test images (1 of 3)" in str(report)
    assert json.loads(json.dumps(report.to_dict()))["shared_cases"] == ["c"]
    with pytest.raises(LeakageError, match=r"allow_leakage=True"):
        report.raise_if_leaking()
    report.raise_if_leaking(allowed=True)
    names_only = bc.audit_leakage(train, test, pixels=False)
    assert names_only.identical_files == ()
    assert names_only.shared_cases == ("c",)


def test_empty_background_is_not_leakage(tmp_path):
    import cv2
    import numpy as np

    paths = [str(tmp_path / f"{n}.png") for n in range(2)]
    for path in paths:
        cv2.imwrite(path, np.full((8, 8, 3), 240, np.uint8))
    assert bc.audit_leakage(_dataset(paths[:1], ["a"]), _dataset(paths[1:], ["b"])).clean


def test_a_broken_file_is_named(tmp_path, images):
    broken = tmp_path / "broken.png"
    broken.write_text("not an image", encoding="utf-8")
    with pytest.raises(ImageError, match=r"broken\.png"):
        bc.audit_leakage(_dataset(images[:1], ["a"]), _dataset([str(broken)], ["b"]))
    with pytest.raises(ImageError, match=r"gone\.png"):
        bc.audit_leakage(_dataset(images[:1], ["a"]), _dataset([str(tmp_path / "gone.png")], ["b"]))


@pytest.mark.parametrize(
    ("one", "other"),
    [("Müller", "Mu\u0308ller"), ("P 1", "P\u00a01"), ("P1", "P\u200b1"), (" 7", "7.0"), ("14-1", "14\u20111")],
)
def test_spellings_that_look_the_same_are_one_case(one, other):
    report = bc.audit_leakage(_dataset(["a.png"], [one]), _dataset(["b.png"], [other]), pixels=False)
    assert len(report.shared_cases) == 1
    assert report.test_images_in_shared_cases == 1


@pytest.mark.parametrize(("one", "other"), [("01", "1"), ("P1", "p1"), ("P-1", "P1"), ("Müller", "Muller")])
def test_similar_names_are_a_possible_leak_until_declared_distinct(one, other):
    train, test = _dataset(["a.png"], [one]), _dataset(["b.png", "c.png"], [other, "z"])
    report = bc.audit_leakage(train, test, pixels=False)
    assert report.similar_cases == ((one, other),)
    assert not report.clean
    assert not report.leaking
    assert report.test_images_in_similar_cases == 1
    assert "Possible leak" in str(report)
    assert "not independent" not in str(report)
    assert json.loads(json.dumps(report.to_dict()))["similar_cases"] == [[one, other]]
    with pytest.raises(LeakageError, match=r"If it is two, pass distinct=\["):
        report.raise_if_leaking()
    report.raise_if_leaking(allowed=True)
    assert join_reports([report, report]).test_images_in_similar_cases == 2
    assert bc.audit_leakage(train, test, pixels=False, distinct=[(one, other)]).clean
    for pair in ([(one, other)], [one, other], True):
        assert bc.audit_leakage(dataclasses.replace(train, distinct=pair), test, pixels=False).clean


def test_the_same_path_is_a_leak_without_comparing_pixels():
    same = bc.audit_leakage(_dataset(["a.png"], ["1"]), _dataset(["./a.png"], ["2"]), pixels=False)
    assert same.identical_files == (("a.png", "./a.png"),)


def test_unknown_cases_are_not_compared():
    unknown = bc.Dataset.from_columns(("b", "m"), path=["a.png"], label=["b"])
    report = bc.audit_leakage(unknown, _dataset(["b.png"], ["1"]), pixels=False)
    assert report.compared_by == ()
    assert "no names" in str(report)


def test_two_tables_are_compared_without_their_images(tmp_path):
    train = pd.DataFrame({"path": ["a.png", "b.png"], "case": ["1", "2"], "label": ["b", "m"]})
    test = pd.DataFrame({"slide": ["s1", "s2"], "case": ["2", "3"], "label": ["b", "m"]})
    test.to_csv(tmp_path / "test.csv", index=False)
    report = bc.audit_leakage(train, tmp_path / "test.csv")
    assert report.shared_cases == ("2",)
    assert not report.pixels_compared
    assert report.test_images_in_shared_cases == 1
    assert bc.audit_leakage(train, test.assign(case=["8", "9"])).clean
    assert bc.audit_leakage(test.assign(case=["6", "7"], slide=["s6", "s7"]), test).clean


def test_tables_of_files_that_exist_are_compared_by_pixels(tmp_path, images):
    copy = str(tmp_path / "copy.png")
    shutil.copy(images[0], copy)
    tables = [
        pd.DataFrame({"path": paths, "case": cases, "label": ["b", "m"]})
        for paths, cases in ((images[:2], ["1", "2"]), ([copy, images[3]], ["3", "4"]))
    ]
    assert bc.audit_leakage(*tables).identical_files == ((images[0], copy),)
