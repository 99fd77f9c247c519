import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from breastcls.errors import EvaluationError
from breastcls.evaluation.report.image_heatmaps import describe_overlays, explain_rows, match_rows
from breastcls.explanation.explain import explain


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    pixels = keras.Input((32, 32, 3))
    features = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(pixels))
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    return keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(pooled))


# A small random model has nothing to say for one of its classes; `explain` warns of that, the report says it.
untrained = pytest.mark.filterwarnings("ignore::breastcls.errors.ExplanationWarning")


@untrained
def test_each_row_is_explained_for_the_class_it_was_called(whole, tissue, model):
    predictions = whole(paths=tissue).predictions
    rows = [0, 100, 13]
    found = explain_rows(predictions, rows, model, "grad-cam")
    assert set(found.by_row) == set(rows)
    for row in rows:
        target = int(predictions.decisions[row])
        expected = explain(model, [tissue[row]], target_class=target, classes=predictions.classes)
        np.testing.assert_array_equal(found.by_row[row].pixels, expected.overlay(0))
        assert ("No region is evidence for the predicted class" in found.by_row[row].remark) == (
            expected.flags[0] == "negative"
        )
        assert found.by_row[row].pixels.shape == (46, 70, 3)


def test_files_that_are_gone_are_passed_over(whole, tissue, model):
    Path(tissue[0]).unlink()
    predictions = whole(paths=tissue).predictions
    found = explain_rows(predictions, [0, 100], model, "grad-cam")
    assert set(found.by_row) == {100}
    described = describe_overlays(found, [0, 100])
    assert described.startswith("1 of them has a heat-map")
    assert "Checks of Grad-CAM on 1 image (equal calls," in described
    unknown = dataclasses.replace(predictions, paths=None)
    assert describe_overlays(explain_rows(unknown, [0], model, "grad-cam"), [0]) == ""


def test_the_model_may_be_a_file(whole, tissue, model, tmp_path):
    model.save(tmp_path / "model.keras")
    predictions = whole(paths=tissue).predictions
    first, second = (explain_rows(predictions, [5], one, "grad-cam") for one in (model, tmp_path / "model.keras"))
    np.testing.assert_array_equal(first.by_row[5].pixels, second.by_row[5].pixels)


@untrained
def test_heatmaps_made_before_are_matched_by_their_files(whole, tissue, model):
    predictions = whole(paths=tissue).predictions
    made = explain(model, [tissue[24], tissue[0]], target_class="benign", classes=predictions.classes)
    found = match_rows(predictions, [0, 24, 100], made)
    assert set(found.by_row) == {0, 24}
    np.testing.assert_array_equal(found.by_row[0].pixels, made.overlay(1))
    called = {row: predictions.classes[predictions.decisions[row]] for row in (0, 24)}
    for row, name in called.items():
        assert ("The heat-map is of benign." in found.by_row[row].remark) == (name != "benign")


@untrained
def test_heatmaps_of_other_images_are_refused(whole, tissue, model):
    elsewhere = whole().predictions
    with pytest.raises(EvaluationError, match="None of the 1 heat-maps is of an image"):
        match_rows(elsewhere, [0], explain(model, tissue[:1], classes=elsewhere.classes))
    with pytest.raises(EvaluationError, match="have none"):
        match_rows(elsewhere, [0], explain(model, np.zeros((1, 32, 32, 3), np.uint8) + 99, classes=elsewhere.classes))
