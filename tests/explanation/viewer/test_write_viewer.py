import base64
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace

import cv2
import numpy as np
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.drawing.html_page import read_template, theme_script
from breastcls.errors import ExplanationError, LeakageWarning
from breastcls.explanation.explain import explain
from breastcls.explanation.viewer.write_viewer import PACKAGE, write_viewer
from breastcls.features.embedding_table import load_embeddings
from breastcls.features.image_index import index_images

CLASSES = ("none", "square")


def read_data(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)[1])


def decode(address, flags=cv2.IMREAD_UNCHANGED):
    return cv2.imdecode(np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8), flags)


@pytest.fixture(scope="module")
def grad_cam(blue_squares):
    return explain(blue_squares.model, blue_squares.images, target_class=1, classes=CLASSES)


def test_images_maps_and_masks_are_in_the_page(grad_cam, blue_squares, tmp_path):
    images = blue_squares.images.copy()
    images[0, :, :10] = 250
    made = explain(blue_squares.model, images, target_class=1, classes=CLASSES)
    data = read_data(made.to_html(tmp_path / "viewer.html"))
    assert data["classes"] == list(CLASSES)
    assert len(data["images"]) == 4
    first = data["images"][0]
    assert np.abs(decode(first["src"])[..., ::-1].astype(int) - images[0]).mean() < 8
    assert decode(first["glass"], cv2.IMREAD_GRAYSCALE)[:, :8].min() == 255
    assert decode(first["glass"], cv2.IMREAD_GRAYSCALE)[:, 12:].max() == 0
    heat = decode(first["maps"][0]["src"])
    np.testing.assert_allclose(heat / 255, made.heatmaps[0], atol=0.003)
    assert first["maps"][0]["onGlass"] == pytest.approx(made.glass_share[0], abs=1e-3)
    assert first["maps"][0]["opacity"] == pytest.approx(made.opacity(0), abs=1e-3)
    assert data["images"][1]["glass"] is None


def test_methods_classes_and_models_are_distinguished(grad_cam, blue_squares, tmp_path):
    hires = explain(blue_squares.model, blue_squares.images, "hires-cam", target_class=1, classes=CLASSES)
    data = read_data(write_viewer({"one": [grad_cam, hires], "other": grad_cam}, tmp_path / "viewer.html"))
    assert [(one["model"], one["method"]) for one in data["maps"]] == [
        ("one", "Grad-CAM"),
        ("one", "HiResCAM"),
        ("other", "Grad-CAM"),
    ]
    assert set(data["images"][0]["predictions"]) == {"one", "other"}
    with pytest.raises(ExplanationError, match="Two explanations are by Grad-CAM for the predicted class"):
        write_viewer([grad_cam, grad_cam], tmp_path / "viewer.html")
    with pytest.raises(ExplanationError, match="different classes"):
        write_viewer({"a": grad_cam, "b": replace(grad_cam, classes=("x", "y"))}, tmp_path / "viewer.html")
    one = explain(blue_squares.model, blue_squares.images[:1], target_class=1, classes=CLASSES)
    with pytest.raises(ExplanationError, match="same arrays"):
        write_viewer({"a": grad_cam, "b": one}, tmp_path / "viewer.html")
    with pytest.raises(ExplanationError, match="no explanations"):
        write_viewer([], tmp_path / "viewer.html")


def test_images_are_matched_by_their_files(blue_squares, tmp_path):
    paths = [str(tmp_path / f"{number}.png") for number in range(4)]
    for path, image in zip(paths, blue_squares.images, strict=True):
        cv2.imwrite(path, image[..., ::-1])
    some = explain(blue_squares.model, paths[:3], target_class=1, classes=CLASSES)
    others = explain(blue_squares.model, paths[:1:-1], "hires-cam", target_class=1, classes=CLASSES)
    data = read_data(write_viewer([some, others], tmp_path / "viewer.html", limit=4))
    assert [image["name"] for image in data["images"]] == ["0.png", "1.png", "2.png", "3.png"]
    assert [[one is not None for one in image["maps"]] for image in data["images"]] == [
        [True, False],
        [True, False],
        [True, True],
        [False, True],
    ]


def test_similar_images_have_no_names_under_pseudonyms(blue_squares, tmp_path):
    paths = [str(tmp_path / f"secret-{number}.png") for number in range(4)]
    for path, image in zip(paths, blue_squares.images, strict=True):
        cv2.imwrite(path, image[..., ::-1])
    data = load_embeddings(
        Dataset.from_columns(CLASSES, path=paths, label=["none", "square"] * 2, case=[f"person {n}" for n in range(4)]),
        np.eye(4) + 0.1,
    )
    similar = index_images(data[:3]).search(data[3:], count=2)
    made = explain(blue_squares.model, data[3:], target_class=1)
    [image] = read_data(made.to_html(tmp_path / "viewer.html", similar=similar))["images"]
    assert {entry["case"] for entry in image["similar"]} == {"person 0", "person 1"}
    page = made.with_pseudonyms().to_html(tmp_path / "hidden.html", similar=similar)
    [image] = read_data(page)["images"]
    assert [entry["label"] for entry in image["similar"]] == ["none", "square"]
    assert not re.search("secret|person", page.read_text(encoding="utf-8"))
    with pytest.warns(LeakageWarning):
        none = index_images(data[3:]).search(data[3:], count=2)
    [image] = read_data(made.to_html(tmp_path / "none.html", similar=none))["images"]
    assert image["similar"] == []
    other = explain(blue_squares.model, paths[:1], target_class=1, classes=CLASSES)
    with pytest.raises(ExplanationError, match="similar images are of none"):
        other.to_html(tmp_path / "viewer.html", similar=similar)


def test_names_cannot_become_html_and_the_policy_allows_only_the_own_scripts(grad_cam, tmp_path):
    evil = "</script><img src=x onerror=alert(1)>"
    path = write_viewer(replace(grad_cam, classes=("none", evil)), tmp_path / "viewer.html", title=evil)
    text = path.read_text(encoding="utf-8")
    assert evil not in text
    assert read_data(path)["classes"][1] == evil
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe-inline" not in policy.split("script-src")[1]
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    hashes = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts}
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == hashes
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js on this machine: scripts are not parsed")
@pytest.mark.parametrize("script", [read_template(PACKAGE, "viewer.js"), theme_script()], ids=["viewer", "theme"])
def test_the_scripts_parse(script, tmp_path):
    (tmp_path / "script.js").write_text(script, encoding="utf-8")
    subprocess.run(["node", "--check", tmp_path / "script.js"], check=True, capture_output=True)
