"""All problems of a folder are found, without false findings."""

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breastcls.images.integrity import PROBLEMS, check_images, describe_findings


def problems(findings, path=None):
    rows = findings if path is None else findings[findings["path"] == str(path)]
    return list(rows["problem"])


def test_a_clean_folder_has_no_findings(make_folder):
    paths = make_folder(12)
    findings = check_images(paths, cases=["a"] * 12)
    assert not len(findings)
    assert describe_findings(findings, 12) == "12 images checked: no problems found."
    assert list(findings.columns) == ["row", "path", "problem", "detail", "other", "across_cases", "drop"]


def test_every_kind_of_problem(make_folder, picture):
    paths = make_folder(8)
    folder = Path(paths[0]).parent

    def put(name, content=b""):
        (folder / name).write_bytes(content)
        paths.append(str(folder / name))
        return paths[-1]

    def png(image):
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        return stream.getvalue()

    whole = Path(paths[0]).read_bytes()
    flat = picture[:, ::-1].copy()
    flat[30:] = 128
    noise = np.random.default_rng(0).integers(0, 4, picture.shape, dtype=np.uint8)
    brighter = np.clip(np.asarray(Image.open(paths[3])).astype(int) + 6, 0, 255).astype(np.uint8)
    expected = {
        put("empty.png"): "zero-byte",
        put("cut.png", whole[:-200]): "truncated",
        put("text.png", b"not an image"): "unreadable",
        put("flipped.png", whole[:300] + bytes([whole[300] ^ 1]) + whole[301:]): "unreadable",
        put("values.npy", b"\x93NUMPY\x01\x00"): "unsupported",
        put("white.png", png(np.full_like(picture, 255))): "blank",
        put("faint.png", png(250 + noise)): "near-constant",
        put("flat.png", png(flat)): "flat-part",
        put("small.png", png(picture[::-1][:30])): "odd-size",
        put("copy.png", whole): "same-file",
        put("bright.png", png(brighter)): "near-duplicate",
    }
    Image.open(paths[1]).save(folder / "other.bmp")
    paths.append(str(folder / "other.bmp"))
    expected[paths[-1]] = "same-pixels"
    paths.append(str(folder / "gone.png"))
    expected[paths[-1]] = "missing"
    findings = check_images(paths)
    assert set(expected.values()) == set(PROBLEMS)
    assert dict(zip(findings["path"], findings["problem"], strict=True)) == expected
    assert [paths[row] for row in findings["row"]] == list(findings["path"])
    dropped = set(findings.loc[findings["drop"], "problem"])
    assert dropped == {
        "missing",
        "zero-byte",
        "truncated",
        "unreadable",
        "unsupported",
        "blank",
        "same-file",
        "same-pixels",
    }
    others = dict(zip(findings["problem"], findings["other"], strict=True))
    assert others["same-file"] == paths[0]
    assert others["same-pixels"] == paths[1]
    assert others["near-duplicate"] == paths[3]
    text = describe_findings(findings, len(paths))
    assert "21 images checked, 13 with findings" in text
    assert "gone.png: the file does not exist" in text
    assert f"(see {paths[3]})" in text
    assert "9 images should be left out" in text


def test_copies_within_and_across_cases_are_distinguished(make_folder):
    paths = make_folder(3)
    for number in range(2):
        copy = str(Path(paths[0]).with_name(f"copy{number}.png"))
        shutil.copy(paths[0], copy)
        paths.append(copy)
    findings = check_images(paths, cases=["a", "b", "c", "a", "b"])
    assert findings["across_cases"].tolist() == [False, True]
    assert "1 of them across cases" in describe_findings(findings, 5)
    assert check_images(paths)["across_cases"].isna().all()


def test_each_of_three_similar_images_is_reported_once(make_folder):
    paths = make_folder(2)
    image = np.asarray(Image.open(paths[0])).astype(int)
    for step in (2, 4):
        path = Path(paths[0]).with_name(f"lit{step}.png")
        Image.fromarray(np.clip(image + step, 0, 255).astype(np.uint8)).save(path)
        paths.append(str(path))
    assert check_images(paths)["row"].tolist() == [2, 3]
    assert not len(check_images(paths, near_distance=None))


def test_sizes_that_differ_little_are_no_finding(make_folder):
    # BreakHis has 700x460 and 700x456.
    paths = [*make_folder(5, 92, 140), *make_folder(5, 91, 140, name="other")]
    findings = check_images(paths, near_distance=None)
    assert not len(findings)


def test_the_same_with_one_thread(make_folder):
    paths = make_folder(5)
    Path(paths[2]).write_bytes(b"")
    assert check_images(paths, workers=1).equals(check_images(paths, workers=4))


def test_no_images():
    assert not len(check_images([]))


def test_cases_must_fit(make_folder):
    with pytest.raises(ValueError, match="cases has 1 value for 2 images"):
        check_images(make_folder(2), cases=["a"])


@pytest.mark.real
def test_the_real_images_are_clean_and_their_small_copies_are_recognised(real_data):
    originals = sorted(str(path) for path in (real_data / "BreaKHis_v1").rglob("*-200-*.png"))
    small = [str(path) for path in (real_data / "BreaKHis_200X_224").rglob("*.png")]
    names = {os.path.basename(path) for path in originals}
    copies = [path for path in small if os.path.basename(path) in names]
    findings = check_images([*originals, *copies])
    near = findings[findings["problem"] == "near-duplicate"]
    assert copies
    assert set(near["path"]) == set(copies)
    assert all(os.path.basename(row.path) == os.path.basename(row.other) for row in near.itertuples())
    assert set(findings["problem"]) <= {"near-duplicate", "odd-size"}
