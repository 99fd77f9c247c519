import csv
import stat
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from breastcls.errors import ExplanationError, ExplanationWarning, ImageError, OutputError
from breastcls.explanation.explain import explain
from breastcls.explanation.heatmap_folder import explain_to_folder
from support.platforms import NOT_SUPERUSER


@pytest.fixture
def explanation(blue_squares):
    images = [cv2.resize(image, (40 + number, 50)) for number, image in enumerate(blue_squares.images)]
    return explain(blue_squares.model, images, target_class=1, classes=("none", "square"))


def test_overlays_heatmaps_and_index_are_written(explanation, tmp_path):
    folder = explanation.save(tmp_path / "new" / "heatmaps")
    with open(folder / "index.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [row["overlay"] for row in rows] + ["heatmaps.npz", "index.csv"]
    )
    for number, row in enumerate(rows):
        drawn = cv2.imread(str(folder / row["overlay"]))[..., ::-1]
        np.testing.assert_array_equal(drawn, explanation.overlay(number))
        assert drawn.shape == (int(row["height"]), int(row["width"]), 3) == (50, 40 + number, 3)
        assert row["target"] == "square"
        assert float(row["opacity"]) == pytest.approx(min(1.0, 2 * float(row["positive_share"])), abs=1e-5)
        assert float(row["glass_share"]) == pytest.approx(explanation.glass_share[number], abs=1e-5)
        assert float(row["target_probability"]) == pytest.approx(explanation.probabilities[number, 1], abs=1e-6)
    with np.load(folder / "heatmaps.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["heatmaps"], explanation.heatmaps)
        assert stored["classes"].tolist() == ["none", "square"]


def test_file_names_are_kept_and_made_unique(blue_squares, tmp_path):
    paths = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / "SOB_B_A-14 ä.png")
        cv2.imencode(".png", blue_squares.images[0])[1].tofile(paths[-1])
    with pytest.warns(match="flagged"):
        # Blue and red are exchanged in these files, so that they have no blue square.
        folder = explain(blue_squares.model, paths, target_class=1).save(tmp_path / "out")
    assert sorted(path.name for path in folder.glob("*.png")) == ["0000_SOB_B_A-14_ä.png", "0001_SOB_B_A-14_ä.png"]


def test_existing_files_are_not_overwritten_by_default(explanation, tmp_path):
    (tmp_path / "0002.png").write_text("precious", encoding="utf-8")
    with pytest.raises(OutputError, match=r"0002\.png.*overwrite=True"):
        explanation.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["0002.png"]
    assert (tmp_path / "0002.png").read_text(encoding="utf-8") == "precious"
    explanation.save(tmp_path, overwrite=True)
    assert cv2.imread(str(tmp_path / "0002.png")) is not None
    with pytest.raises(OutputError):
        explanation.save(tmp_path)


def test_raw_maps_are_read_back_by_other_libraries(explanation, tmp_path):
    made = replace(explanation, resize="crop")  # Part of each image was then no input of the model.
    folder = made.save(tmp_path, raw=("tiff", "npy"))
    for number in range(4):
        own = made.heatmap(number)
        assert np.isnan(own).any()
        stem = folder / f"{number:04d}_heatmap"
        read = cv2.imread(f"{stem}.tiff", cv2.IMREAD_UNCHANGED), np.array(Image.open(f"{stem}.tiff"))
        for values in (*read, np.load(f"{stem}.npy", allow_pickle=False)):
            assert values.dtype == np.float32
            np.testing.assert_array_equal(values, own)
    with pytest.raises(ExplanationError, match="raw='exr'; expected 'tiff' or 'npy'"):
        made.save(tmp_path, raw="exr")
    with pytest.raises(ExplanationError, match="raw=None; expected 'tiff' or 'npy'"):
        made.save(tmp_path, raw=None)
    with pytest.raises(OutputError, match="0000"):
        made.save(tmp_path, raw="tiff")


def test_an_error_while_saving_leaves_no_partial_file_and_no_index(explanation, tmp_path, monkeypatch):
    real = cv2.imencode
    calls = []

    def failing(*arguments):
        calls.append(arguments)
        return real(*arguments) if len(calls) < 3 else (False, None)

    monkeypatch.setattr("breastcls.explanation.save_heatmaps.cv2.imencode", failing)
    with pytest.raises(OutputError, match="cannot be encoded"):
        explanation.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000.png", "0001.png"]


def test_wrong_drawing_options_are_named(explanation, tmp_path):
    with pytest.raises(ExplanationError, match="alpha is 3"):
        explanation.save(tmp_path / "out", alpha=3)


@NOT_SUPERUSER
def test_a_folder_without_write_permission_is_named(explanation, tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(OutputError, match=str(tmp_path)):
        explanation.save(tmp_path)


def test_a_file_with_the_name_of_the_folder_is_named(explanation, tmp_path):
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="taken"):
        explanation.save(tmp_path / "taken")


def test_a_folder_that_is_written_batch_by_batch_is_that_of_one_explanation(blue_squares, tmp_path):
    paths = []
    for number, image in enumerate(blue_squares.images):
        paths.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(paths[-1]), cv2.resize(image, (40, 36))[..., ::-1])
    options = {"target_class": [1, 1, 0, 1], "classes": ("none", "square"), "batch_size": 3}
    with pytest.warns(ExplanationWarning, match="1 of 4 heat-maps by 'hires-cam' are flagged 'negative'"):
        whole = explain(blue_squares.model, paths, "hires-cam", **options).save(tmp_path / "whole", raw="npy")
    with pytest.warns(ExplanationWarning, match="1 of 4 heat-maps by 'hires-cam' are flagged 'negative'"):
        parts = explain_to_folder(blue_squares.model, paths, tmp_path / "parts", "hires-cam", raw="npy", **options)
    names = sorted(path.name for path in whole.iterdir())
    assert sorted(path.name for path in parts.iterdir()) == names
    for name in names:
        if name == "heatmaps.npz":
            with np.load(whole / name) as one, np.load(parts / name) as other:
                assert one.files == other.files
                for array in one.files:
                    np.testing.assert_array_equal(one[array], other[array])
        else:
            assert (whole / name).read_bytes() == (parts / name).read_bytes()
    with pytest.raises(OutputError, match="overwrite=True"):
        explain_to_folder(blue_squares.model, paths, parts, "hires-cam", **options)


def test_an_image_that_cannot_be_read_leaves_no_index(blue_squares, tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, image in zip(paths, blue_squares.images, strict=False):
        cv2.imwrite(str(path), image[..., ::-1])
    paths[2].write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"2\.png"):
        explain_to_folder(blue_squares.model, paths, tmp_path / "out", target_class=1, batch_size=2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0000_0.png", "0001_1.png"]
