import dataclasses

import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.checks.localisation import measure_localisation
from breastcls.explanation.explain import explain


@pytest.fixture(scope="module")
def explanation(blue_squares):
    return explain(blue_squares.model, blue_squares.images, "hires-cam", target_class=1)


def test_a_map_of_the_object_is_better_than_chance_and_centre(blue_squares, explanation):
    made = measure_localisation(explanation, blue_squares.masks)
    table = made.table
    assert table.loc["pointing", "value"] == 1
    assert table.loc["iou", "value"] > 0.6
    assert table.loc["inside", "value"] > 0.6
    assert (table[["gain_random", "gain_centre"]] > 0.3).all(axis=None)
    assert table.loc["iou", "beats_baselines"] is None  # Four cases are too few to show it.
    assert table.loc["inside", "random"] == pytest.approx(64 / 1024)
    assert "pointing (higher is better)" in str(made)
    assert made.to_dict()["table"]


def test_the_measures_of_a_known_map(explanation):
    """A map with the values 4, 3, 2, 1 in the four quadrants; the mask is the left half."""
    heat = np.zeros((32, 32), np.float32)
    heat[:16, :16], heat[:16, 16:], heat[16:, :16], heat[16:, 16:] = 1.0, 0.75, 0.5, 0.25
    known = dataclasses.replace(explanation, heatmaps=np.repeat(heat[None], 4, axis=0))
    left = np.zeros((32, 32), bool)
    left[:, :16] = True
    measured = measure_localisation(known, [left, ~left, np.zeros((32, 32)), np.ones((32, 32))], cases=list("abcd"))
    values = measured.values
    assert values["pointing"]["heat-map"][:2].tolist() == [1, 0]
    # The upper half has the highest values: a quarter of the image is in both, three quarters in one of the two.
    np.testing.assert_allclose(values["iou"]["heat-map"][:2], 1 / 3)
    np.testing.assert_allclose(values["inside"]["heat-map"][:2], [0.6, 0.4])
    np.testing.assert_allclose(values["inside"]["centre"][:2], 0.5, atol=1e-6)
    np.testing.assert_allclose(values["iou"]["random"][:2], 1 / 3)
    # An empty or a full mask says nothing.
    assert np.isnan(values["iou"]["heat-map"][2:]).all()
    assert "2 images of 2 cases" in str(measured)
    assert str(measured).endswith("2 further images with an empty or a full mask left out.")
    assert (measured.to_dict()["images"], measured.to_dict()["cases"]) == (2, 2)
    nothing = str(measure_localisation(known, np.zeros((4, 32, 32)), cases=list("abcd")))
    assert "0 images of 0 cases" in nothing
    assert "nan" not in nothing
    with pytest.raises(ExplanationError, match="Mask 1 has NaN"):
        measure_localisation(known, np.where(np.arange(4)[:, None, None] == 1, np.nan, np.ones((4, 32, 32))))


def test_a_blank_map_counts_as_a_miss(explanation, blue_squares):
    blank = dataclasses.replace(explanation, heatmaps=np.zeros_like(explanation.heatmaps))
    assert measure_localisation(blank, blue_squares.masks).table["value"].tolist() == [0, 0, 0]


def test_masks_are_at_the_size_of_the_image_and_what_the_model_did_not_see_is_left_out(blue_squares):
    """The image is wider than the model's input is; the sides are cut off."""
    wide = np.pad(blue_squares.images[:1], ((0, 0), (0, 0), (16, 16), (0, 0)), mode="edge")
    mask = np.pad(blue_squares.masks[0], ((0, 0), (16, 16)))
    mask[:, :8] = True
    made = explain(blue_squares.model, wide, "hires-cam", target_class=1, resize="crop")
    found = measure_localisation(made, [mask]).values["inside"]
    assert found["heat-map"][0] > 0.6
    assert found["random"][0] == pytest.approx(64 / 1024)
    with pytest.raises(ExplanationError, match=r"Mask 0 has the shape \(32, 32\)"):
        measure_localisation(made, blue_squares.masks[:1])
    with pytest.raises(ExplanationError, match="2 masks for 1 heat-map"):
        measure_localisation(made, [mask, mask])
