import json
import tracemalloc

import cv2
import numpy as np
import pytest
from PIL import Image

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.idc import load_idc
from breastcls.datasets.synthetic.image_trees import make_idc
from breastcls.errors import DatasetError, DatasetWarning, ExplanationError, ImageError
from breastcls.explanation.explain import explain
from breastcls.explanation.mounts.patch_layout import lay_out
from breastcls.explanation.mounts.stitched_slide import WholeMount
from breastcls.explanation.mounts.stitching import stitch
from breastcls.predictions.predictions import Predictions

CLASSES = ("negative", "positive")


@pytest.fixture
def mosaic(tmp_path):
    """A picture of 90 by 130 pixels cut into patches of 50, smaller at the edges, with one missing; and its table."""
    generator = np.random.default_rng(0)
    picture = cv2.resize(generator.integers(60, 220, (9, 13, 3), dtype=np.uint8), (130, 90))
    rows = []
    for y in range(0, 90, 50):
        for x in range(0, 130, 50):
            if (x, y) == (50, 50):
                continue
            path = str(tmp_path / f"x{x}_y{y}.png")
            cv2.imwrite(path, picture[y : y + 50, x : x + 50, ::-1])
            rows.append((path, x + 1, y + 1))
    paths, x, y = zip(*rows, strict=True)
    data = Dataset.from_columns(CLASSES, path=paths, x=x, y=y, label=[CLASSES[n % 2] for n in range(5)], case=["7"] * 5)
    return picture, data


def predict(data, probabilities):
    return Predictions.from_arrays(probabilities=probabilities, labels=None, classes=CLASSES, paths=data.paths)


def test_patches_are_put_back_in_their_places(mosaic):
    picture, data = mosaic
    probabilities = [0.1, 0.2, 0.3, 0.4, 0.5]
    [mount] = stitch(data, predict(data, probabilities))
    assert mount.size == (90, 130)
    assert mount.layers == ("tissue", "labels", "probabilities", "overlay")
    tissue = mount.values("tissue")
    missing = np.zeros((90, 130), bool)
    missing[50:, 50:100] = True
    np.testing.assert_array_equal(tissue[~missing], picture[~missing])
    assert (tissue[missing] == 245).all()
    found = mount.values("probabilities")
    assert np.isnan(found[missing]).all()
    np.testing.assert_allclose(
        [found[y, x] for y, x in ((0, 0), (49, 99), (0, 129), (50, 0), (89, 129))], probabilities
    )
    np.testing.assert_array_equal(mount.values("labels")[[0, 0, 0], [0, 60, 110]], [0, 1, 0])
    assert mount.layout.origin == (1, 1)
    assert "5 patches in 90x130 pixels" in str(mount)
    assert mount.layout.covered == pytest.approx(1 - missing.mean())


def test_reduced_pictures_leave_neither_gaps_nor_overlaps(mosaic):
    picture, data = mosaic
    [mount] = stitch(data)
    small = mount.values("tissue", longest=37)
    assert small.shape == (26, 37, 3)
    expected = cv2.resize(picture, (37, 26), interpolation=cv2.INTER_AREA).astype(int)
    inside = np.ones((26, 37), bool)
    inside[13:, 13:29] = False
    assert np.abs(small.astype(int) - expected)[inside].mean() < 12
    assert (small[16:24, 17:26] == 245).all()


def test_overlapping_patches_are_averaged_and_slides_are_separate(tmp_path):
    paths = [str(tmp_path / f"{n}.png") for n in range(3)]
    for path, grey in zip(paths, (100, 200, 50), strict=True):
        cv2.imwrite(path, np.full((20, 20, 3), grey, np.uint8))
    data = Dataset.from_columns(path=paths, x=[0, 10, 500], y=[0, 0, 900], slide=["a", "a", "b"], case=["a", "a", "b"])
    mounts = stitch(data, Predictions.from_arrays(probabilities=[0.2, 0.6, 1.0], labels=None, classes=CLASSES))
    assert [mount.slide for mount in mounts] == ["a", "b"]
    np.testing.assert_array_equal(mounts["a"].values("tissue")[5, [0, 15, 29], 0], [100, 150, 200])
    np.testing.assert_allclose(mounts["a"].values("probabilities")[5, [0, 15, 29]], [0.2, 0.4, 0.6], rtol=1e-6)
    assert mounts["b"].size == (20, 20)
    assert mounts["b"].layers == ("tissue", "probabilities", "overlay")
    assert json.loads(mounts.to_json())["mounts"][1]["origin"] == [500, 900]
    with pytest.raises(KeyError, match="no slide 'c'"):
        mounts["c"]


def test_pyramids_have_the_physical_size_and_are_read_back(mosaic, tmp_path):
    tifffile = pytest.importorskip("tifffile", reason="tifffile is not installed")
    picture, data = mosaic
    far = Dataset.from_columns(CLASSES, path=data.paths[:1], x=[700], y=[600], label=["positive"], case=["7"])
    data = data + far
    mounts = stitch(data, predict(data, [0.1, 0.2, 0.3, 0.4, 0.5, 0.9]), micrometres_per_pixel=4.0)
    folder = mounts.save(tmp_path / "mounts")
    assert sorted(path.name for path in folder.iterdir()) == ["7.png", "7_overlay.tif", "7_probabilities.tif"]
    with tifffile.TiffFile(folder / "7_overlay.tif") as file:
        assert [page.shape for page in file.pages] == [(649, 749, 3), (325, 375, 3), (163, 188, 3)]
        assert all(page.is_tiled for page in file.pages)
        assert [page.subfiletype for page in file.pages] == [0, 1, 1]
        for level, page in enumerate(file.pages):
            top, bottom = page.tags["XResolution"].value
            assert top / bottom == pytest.approx(2500 / 2**level)
            assert page.tags["ResolutionUnit"].value == 3
        np.testing.assert_array_equal(file.pages[0].asarray(), mounts[0].values("overlay"))
    with tifffile.TiffFile(folder / "7_probabilities.tif") as file:
        values = file.pages[0].asarray()
        np.testing.assert_array_equal(values, mounts[0].values("probabilities"))
        assert np.nanmax(file.pages[2].asarray()) == pytest.approx(0.9)
        assert np.isnan(file.pages[2].asarray()).mean() == pytest.approx(np.isnan(values).mean(), abs=0.02)
    mounts[0].to_png(tmp_path / "tissue.png", "tissue")
    read = cv2.imread(str(tmp_path / "tissue.png"))[..., ::-1]
    np.testing.assert_array_equal(read[:90, :50], picture[:90, :50])


def test_a_huge_slide_needs_little_memory(tmp_path):
    """5,000 patches over 3 gigapixels, of one file: a picture of the whole needs only its own size."""
    path = str(tmp_path / "patch.png")
    cv2.imwrite(path, np.full((50, 50, 3), 120, np.uint8))
    generator = np.random.default_rng(0)
    x, y = (generator.integers(0, 60_000, 5000) for _ in range(2))
    layout = lay_out(x, y, [(50, 50)] * 5000)
    assert min(layout.size) > 59_000
    assert 0.003 < layout.covered <= 5000 * 50**2 / np.prod(layout.size)
    data = Dataset.from_columns(CLASSES, path=[f"{n}.png" for n in range(5000)], x=x, y=y, case=["1"] * 5000)
    [mount] = stitch(data, predict(data, generator.random(5000)), patch_size=50)
    tracemalloc.start()
    picture = mount.values("probabilities", longest=600)
    region = mount.region("probabilities", 20_000, 20_000, 256, 256)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert picture.shape[0] in (599, 600)
    assert region.shape == (256, 256)
    assert peak < 30e6
    with pytest.raises(ExplanationError, match="too large for the memory"):
        mount.values("probabilities", longest=60_000)


def test_heatmaps_are_weighted_by_probability_and_opacity(blue_squares, tmp_path):
    paths = [str(tmp_path / f"{n}.png") for n in range(4)]
    for path, image in zip(paths, blue_squares.images, strict=True):
        cv2.imwrite(path, image[..., ::-1])
    data = Dataset.from_columns(CLASSES, path=paths, x=[0, 32, 0, 32], y=[0, 0, 32, 32], case=["1"] * 4)
    made = explain(blue_squares.model, data, target_class=1)
    predictions = predict(data, [1.0, 0.5, 0.0, 0.25])
    [mount] = stitch(data, predictions, heatmaps=made)
    picture = mount.values("heatmaps")
    for number, (y, x) in enumerate(((0, 0), (0, 32), (32, 0), (32, 32))):
        expected = made.heatmaps[number] * made.opacity(number) * predictions.positive[number]
        np.testing.assert_allclose(picture[y : y + 32, x : x + 32], expected, atol=1e-6)
    figure = mount.plot(longest=64)
    assert [axis.get_title(loc="left") for axis in figure.axes[:3]] == [
        "tissue",
        "predicted probability of positive",
        "heat-maps times probability",
    ]


def test_what_cannot_be_stitched_is_named(mosaic):
    _, data = mosaic
    with pytest.raises(DatasetError, match="columns x and y"):
        stitch(Dataset.from_columns(path=data.paths, case=["1"] * 5))
    with pytest.raises(DatasetError, match="slide or the case"):
        stitch(Dataset.from_columns(path=data.paths, x=[1] * 5, y=[1] * 5))
    with pytest.raises(DatasetError, match="3 predictions without files and 5 patches"):
        stitch(data, Predictions.from_arrays(probabilities=[0.1] * 3, labels=None, classes=CLASSES))
    with pytest.raises(DatasetError, match="None of the 1 predictions is of one of the patches"):
        stitch(data, Predictions.from_arrays(probabilities=[0.1], labels=None, classes=CLASSES, paths=["other.png"]))
    with pytest.raises(ExplanationError, match="expected one of the classes negative, positive"):
        stitch(data, target_class="benign")
    with pytest.raises(DatasetError, match="patch_size is 0"):
        stitch(data, patch_size=0)
    with pytest.raises(DatasetError, match="micrometres_per_pixel is 0"):
        stitch(data, micrometres_per_pixel=0)
    [mount] = stitch(data)
    with pytest.raises(ExplanationError, match="no picture 'probabilities'; it has tissue, labels"):
        mount.values("probabilities")
    [mount] = stitch(data, patch_size=50)
    with pytest.raises(ImageError, match=r"x100_y0\.png has the size \(50, 30\); expected \(50, 50\)"):
        mount.values("tissue")


def test_synthetic_idc_patches_are_stitched(tmp_path):
    data = load_idc(make_idc(tmp_path / "idc", seed=0))
    mounts = stitch(data)
    assert len(mounts) == len(set(data.slides))
    assert sum(map(len, mounts)) == len(data)


def test_patches_far_apart_are_counted_exactly_and_no_file_of_their_extent_is_written(tmp_path):
    data = Dataset.from_columns(CLASSES, path=["a.png", "b.png"], x=[-100, 10**12], y=[-30, 10**12], case=["1"] * 2)
    [mount] = stitch(data, predict(data, [0.2, 0.8]), patch_size=50)
    assert mount.layout.covered == pytest.approx(2 * 50**2 / 1e24)
    assert mount.layout.origin == (-100, -30)
    with pytest.raises(ExplanationError, match="Correct the columns x and y"):
        mount.to_tiff(tmp_path / "far.tif", "probabilities")
    near = lay_out(np.array([0, 25, 0]), np.array([0, 30, 0]), [(50, 50), (50, 50), (50, 50)])
    assert near.covered == pytest.approx((2 * 2500 - 25 * 20) / (80 * 75))


def test_slides_whose_names_differ_in_replaced_characters_have_files_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(WholeMount, "plot", lambda self, path, longest: path.touch())
    slides = ["a/b", "A_b", "..", "é" * 120]
    with pytest.warns(DatasetWarning, match="differ in spelling only"):
        data = Dataset.from_columns(CLASSES, path=[f"{n}.png" for n in range(4)], x=[0] * 4, y=[0] * 4, slide=slides)
    folder = stitch(data, predict(data, [0.5] * 4), patch_size=8).save(tmp_path / "mounts", tiff=False)
    names = [path.stem for path in folder.iterdir()]
    assert len(names) == 4
    assert not any(name.startswith(".") for name in names)


def test_a_patch_that_is_stored_on_its_side_has_the_size_of_its_pixels(tmp_path):
    image = Image.fromarray(np.full((30, 50, 3), 150, np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "side.jpg", exif=exif)
    data = Dataset.from_columns(CLASSES, path=[str(tmp_path / "side.jpg")], x=[0], y=[0], case=["1"])
    assert stitch(data)[0].values("tissue").shape == (50, 30, 3)


def test_the_scale_bar_of_one_patch_is_within_it(mosaic):
    _, data = mosaic
    [mount] = stitch(data[:1], micrometres_per_pixel=0.25)
    assert "50x50 pixels (12x12 µm)" in str(mount)
    axes = mount.plot().axes[0]
    assert axes.texts[0].get_text() == "2 µm"
    assert axes.get_xlim() == (0, 50)
    left, right = axes.lines[0].get_xdata()
    assert right - left == pytest.approx(2 / 0.25)


def test_nothing_to_stitch_is_named(mosaic):
    _, data = mosaic
    with pytest.raises(DatasetError, match="no patches to stitch"):
        stitch(data[:0])
    with pytest.raises(DatasetError, match="expected a positive number"):
        stitch(data, micrometres_per_pixel=float("inf"))
