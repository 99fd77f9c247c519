import itertools

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import convolve
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

import breastcls as bc
from breastcls.errors import EvaluationError
from breastcls.images.decode import read_image
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.predict import predict
from breastcls.robustness.appearance_groups import (
    compute_appearance,
    quarters,
    red_absorbed,
    score_by_appearance,
    sharpness,
)
from breastcls.stain.optical_density import HAEMATOXYLIN_EOSIN_RESIDUAL

QUICK = Bootstrap(50)


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_the_share_of_red_follows_the_stains_and_not_their_strength(strength):
    mixed = []
    for share in (0.0, 0.3, 0.5, 0.9, 1.0):
        amounts = np.zeros((40, 40, 2))
        amounts[:, :25] = np.random.default_rng(0).uniform(0.2, 0.9, (40, 25, 1)) * [share, 1 - share] * strength
        light = np.clip(256 * np.exp(-amounts @ HAEMATOXYLIN_EOSIN_RESIDUAL[:2]) - 1, 0, 255)
        vector = np.array([share, 1 - share]) @ HAEMATOXYLIN_EOSIN_RESIDUAL[:2]
        mixed.append(red_absorbed(np.rint(light).astype(np.uint8)))
        assert mixed[-1] == pytest.approx(vector[0] / vector.sum(), abs=0.01)
    assert mixed == sorted(mixed)


def test_of_empty_glass_a_third_is_red():
    assert red_absorbed(np.full((4, 4, 3), 255, np.uint8)) == pytest.approx(1 / 3)


def test_sharpness_is_the_variance_of_the_laplacian(pictures):
    image = read_image(pictures.paths[0])
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float)
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    assert sharpness(image) == pytest.approx(convolve(grey, kernel, mode="mirror").var())
    levels = [sharpness(cv2.GaussianBlur(image, (0, 0), sigma)) for sigma in (0.5, 1, 2, 4)]
    assert levels == sorted(levels, reverse=True)


@given(st.lists(st.floats(0, 10, allow_nan=False), min_size=1, max_size=60))
def test_quarters_are_in_order_and_equal_values_stay_together(values):
    values = np.array(values)
    names = quarters(values, ("low", "high"))
    assert all(isinstance(name, str) for name in names)
    for first, second in itertools.pairwise(np.argsort(values, kind="stable")):
        assert names[first][0] <= names[second][0]
        if values[first] == values[second]:
            assert names[first] == names[second]
    if len(np.unique(values)) == len(values) and len(values) >= 4:
        counts = np.unique(names, return_counts=True)[1]
        assert len(counts) == 4
        assert counts.max() - counts.min() <= 1


def test_groups_are_scored_as_scikit_learn_does(pictures, colour_model):
    predictions = predict(colour_model(), pictures)
    by_stain, by_sharpness = score_by_appearance(predictions, pictures, QUICK)
    measured = compute_appearance(pictures)
    assert measured["red_absorbed"].tolist() == [red_absorbed(read_image(p)) for p in pictures.paths]
    for table, column, ends in (
        (by_stain, "red_absorbed", ("pinkest", "bluest")),
        (by_sharpness, "sharpness", ("most blurred", "sharpest")),
    ):
        assert table["images"].tolist() == [10, 10, 10, 10]
        assert table.index[0].startswith(f"1 {ends[0]} (")
        assert table.index[3].startswith(f"4 {ends[1]} (")
        order = np.argsort(measured[column].to_numpy())
        for number, (_, row) in enumerate(table.iterrows()):
            rows = order[10 * number : 10 * number + 10]
            y = predictions.labels[rows]
            assert row["cases"] == len(set(predictions.cases[rows]))
            assert row["accuracy"] == (y == predictions.decisions[rows]).mean()
            if len(set(y)) == 2:
                assert row["balanced_accuracy"] == balanced_accuracy_score(y, predictions.decisions[rows])
                assert row["roc_auc"] == roc_auc_score(y, predictions.positive[rows])
    attached = bc.evaluate(predictions, bootstrap=Bootstrap(20)).with_sections(
        by_stain=by_stain, by_sharpness=by_sharpness
    )
    assert attached.by_stain.equals(by_stain)


def test_images_all_alike_have_no_quarters(pictures, tmp_path, colour_model):
    paths = [str(tmp_path / f"{number}.png") for number in range(len(pictures))]
    for path in paths:
        cv2.imwrite(path, np.full((16, 16, 3), 180, np.uint8))
    same = bc.Dataset(pictures.table.assign(path=paths), pictures.classes)
    assert score_by_appearance(predict(colour_model(), same), same, QUICK) == (None, None)


def test_predictions_of_other_images(pictures, colour_model):
    predictions = predict(colour_model(), pictures)
    with pytest.raises(EvaluationError, match="exactly these images"):
        score_by_appearance(predictions[:5], pictures, QUICK)
    with pytest.raises(EvaluationError, match="exactly these images"):
        score_by_appearance(predictions.aggregate("case"), pictures, QUICK)


def test_evaluate_tells_them_where_the_images_are_there(pictures, colour_model):
    model = colour_model()
    expected = score_by_appearance(predict(model, pictures), pictures, QUICK)
    found = bc.evaluate(model, pictures, bootstrap=Bootstrap(50))
    pd.testing.assert_frame_equal(found.by_stain, expected[0])
    pd.testing.assert_frame_equal(found.by_sharpness, expected[1])
    assert bc.evaluate(predict(model, pictures), bootstrap=Bootstrap(50)).by_stain is None
