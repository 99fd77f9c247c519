"""What is shared of a result holds no absolute path and, with pseudonyms, no name of a case, a slide or a file."""

import re
import warnings
import zipfile

import cv2
import numpy as np
import pytest

import breastcls as bc
from breastcls.evaluation.report.image_heatmaps import match_rows
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.pseudonyms import Pseudonyms
from breastcls.predictions.shared_model import save_model_with_pseudonyms
from support.prediction_fixtures import make_colour_model


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Ten cases of two images; names as in BreakHis, which hold a year."""
    root = tmp_path_factory.mktemp("private")
    rows = []
    for case in range(10):
        of_class, slide = ("benign", "malignant")[case % 2], f"14-{22540 + 37 * case}"
        for image in range(2):
            path = root / of_class / f"SOB_{slide}AB-200-{image}.png"
            path.parent.mkdir(exist_ok=True)
            pixels = np.full((24, 30, 3), (150 + 9 * case, 120, 200 - 60 * (case % 3 == 1)), np.uint8)
            pixels[image:, : case + 2] //= 2
            cv2.imwrite(str(path), pixels)
            rows.append((str(path), of_class, slide, f"{slide}AB"))
    path, label, case, slide = zip(*rows, strict=True)
    made = bc.Dataset.from_columns(("benign", "malignant"), path=path, label=label, case=case, slide=slide)
    return bc.load_table(made.table, classes=made.classes, root=root)


@pytest.fixture(scope="module")
def leaking(data):
    """The evaluation of a model whose card names its training cases, with a leak that was allowed."""
    record = {"cases": sorted(set(data.cases)), "slides": sorted(set(data.slides)), "images": 20}
    model = make_colour_model(provenance={"training": record, "threshold": {"cases": [data.cases[0]], "value": 0.5}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = bc.evaluate(model, data, train=data, allow_leakage=True, bootstrap=Bootstrap(20))
    yield found
    del model


def _written(found, folder):
    """Return all that an evaluation writes, as text."""
    found.to_html(folder / "report.html", thumbnails=4)
    found.plot(folder / "figure.svg")
    found.predictions.to_csv(folder / "predictions.csv")
    found.predictions.to_json(folder / "predictions.json")
    found.to_json(folder / "found.json")
    for name in ("worst_cases", "metrics"):
        found.to_markdown(folder / f"{name}.md", table=name)
        found.to_latex(folder / f"{name}.tex", table=name)
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} | {"print": str(found)}


@pytest.fixture(scope="module")
def named(leaking, tmp_path_factory):
    return _written(leaking, tmp_path_factory.mktemp("named"))


def test_nothing_has_an_absolute_path(named, data):
    for name, text in named.items():
        assert data.root not in text, name
        assert not re.search(r'["\' ,](/home|/tmp|/var|/work)/', text), name
    assert f"benign/SOB_{data.slides[0]}-200-0.png" in named["predictions.csv"]


def test_no_name_is_left_under_pseudonyms(leaking, named, data, tmp_path):
    shared = leaking.with_pseudonyms()
    written = _written(shared, tmp_path)
    names = {*data.cases, *data.slides, "SOB_"}
    for where, text in written.items():
        assert [name for name in names if name in text] == [], where
    assert "case-0" in written["worst_cases.md"]
    # The pictures of the misclassified images are shown all the same.
    pictures = [text.count("data:image/jpeg") for text in (written["report.html"], named["report.html"])]
    assert pictures[0] == pictures[1] > 0
    for name in ("metrics", "confusion", "calibration"):
        assert str(shared.value_of(name)) == str(leaking.value_of(name))
    assert shared.leakage is not None
    assert len(shared.leakage.shared_cases) == 10


def test_the_same_pseudonyms_serve_several_results(leaking, data, tmp_path):
    names = Pseudonyms.of(data, leaking)
    shared = leaking.with_pseudonyms(names)
    explained = bc.explain(make_colour_model(), data[:2], "occlusion").with_pseudonyms(names)
    assert list(explained.paths) == shared.predictions.paths[:2].tolist()
    folder = explained.save(tmp_path / "heatmaps")
    assert "SOB" not in "".join(path.name for path in folder.iterdir())
    assert "SOB" not in (folder / "index.csv").read_text(encoding="utf-8") + explained.to_json()
    assert explained.image(0).shape == (24, 30, 3)
    # The heat-maps belong to the same images as the predictions.
    assert set(match_rows(shared.predictions, [0, 1, 2], explained).by_row) == {0, 1}


def test_the_index_of_heat_maps_has_relative_paths(data, tmp_path):
    explained = bc.explain(make_colour_model(), data[:2], "occlusion")
    folder = explained.save(tmp_path / "heatmaps")
    for text in ((folder / "index.csv").read_text(encoding="utf-8"), explained.to_json()):
        assert data.root not in text
        assert f"benign/SOB_{data.slides[0]}-200-0.png" in text


def test_predictions_that_were_written_are_evaluated_with_their_images(leaking, data, tmp_path):
    written = leaking.predictions.to_csv(tmp_path / "predictions.csv")
    for again in (bc.Predictions.from_csv(written), bc.Predictions.from_csv(written, root=data.root)):
        found = bc.evaluate(again, data, bootstrap=Bootstrap(20))
        assert found.predictions.paths.tolist() == data.paths


def test_a_model_file_can_be_shared(data, tmp_path):
    record = {"cases": sorted(set(data.cases)), "slides": sorted(set(data.slides)), "trained_on": {"cases": ["14-9"]}}
    model = make_colour_model(provenance={"training": record, "members": [{"provenance": {"training": record}}]})
    before = bc.models.get_card(model)
    path = save_model_with_pseudonyms(model, tmp_path / "shared.keras")
    with zipfile.ZipFile(path) as archive:
        text = b"".join(archive.read(name) for name in archive.namelist())
    assert [name for name in {*data.cases, *data.slides, "14-9"} if name.encode() in text] == []
    card = bc.models.get_card(bc.load_model(path))
    assert len(card.provenance["training"]["cases"]) == 10
    assert bc.models.get_card(model) == before
