import json

import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError, RegistryError
from breastcls.explanation.checks.faithfulness import measure_faithfulness
from breastcls.explanation.checks.localisation import measure_localisation
from breastcls.explanation.checks.method_comparison import compare_methods
from breastcls.explanation.explain import explain
from breastcls.intervals.bootstrap import Bootstrap

BOOTSTRAP = Bootstrap(resamples=200)


@pytest.fixture(scope="module")
def comparison(blue_squares):
    return compare_methods(
        blue_squares.model,
        blue_squares.images,
        {"averaged": "grad-cam", "occlusion": "occlusion", "guided-backpropagation": "guided-backpropagation"},
        masks=blue_squares.masks,
        options={"occlusion": {"window": 8}, "averaged": {"dihedral": True}},
        bootstrap=BOOTSTRAP,
        steps=4,
        target_class=1,
    )


def test_a_row_has_the_values_of_the_single_calls(blue_squares, comparison):
    made = explain(blue_squares.model, blue_squares.images, "occlusion", target_class=1, window=8)
    row = comparison.table.loc["occlusion"]
    faithful = measure_faithfulness(blue_squares.model, made, steps=4, bootstrap=BOOTSTRAP).table
    localised = measure_localisation(made, blue_squares.masks, bootstrap=BOOTSTRAP).table
    for table in (faithful, localised):
        for measure, expected in table.iterrows():
            assert row[measure] == pytest.approx(expected["value"], abs=1e-6)
            assert row[f"{measure}_gain_random_low"] == pytest.approx(expected["gain_random_low"], abs=1e-6)
            assert row[f"{measure}_gain_centre"] == pytest.approx(expected["gain_centre"], abs=1e-6)


def test_it_has_one_row_per_method_and_prints(comparison):
    assert comparison.table.index.tolist() == ["averaged", "occlusion", "guided-backpropagation"]
    assert comparison.measures == ("deletion", "insertion", "imputation", "pointing", "iou", "inside")
    assert comparison.agreement.shape == (3, 3)
    others = comparison.agreement.to_numpy()[0, 1:]
    assert comparison.table.loc["averaged", "agreement"] == pytest.approx(others.mean())
    # There is no glass in these images.
    assert comparison.table["glass_share"].tolist() == pytest.approx([0, 0, 0], abs=0.05)
    text = str(comparison)
    assert "averaged" in text
    assert "4 images of unknown cases, 95% CI over images" in text
    assert "Pass cases=" in text
    values = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert values["table"]["index"] == comparison.table.index.tolist()


def test_methods_that_cannot_explain_the_model_are_named(blue_squares):
    with pytest.raises(RegistryError, match="grad-cam"):
        compare_methods(blue_squares.model, blue_squares.images, ["gradcam"])
    inputs = keras.Input((32, 32, 3))
    dense = keras.layers.Dense(2, "softmax", kernel_initializer=keras.initializers.RandomNormal(1e-3, seed=0))
    flat = keras.Model(inputs, dense(keras.layers.Flatten()(inputs / 255.0)))
    made = compare_methods(flat, blue_squares.images, ["gradient-x-input", "grad-cam"], steps=2, bootstrap=BOOTSTRAP)
    assert list(made.skipped) == ["grad-cam"]
    assert "no feature map" in str(made)
    with pytest.raises(ExplanationError, match="No method can explain"):
        compare_methods(flat, blue_squares.images, ["grad-cam"])
    assert np.isfinite(made.table["deletion"]).all()


def test_methods_and_their_options_are_checked_before_anything_is_computed(blue_squares):
    model, images = blue_squares.model, blue_squares.images
    with pytest.raises(ExplanationError, match="no methods to compare"):
        compare_methods(model, images, [])
    # One name is a method, and not its letters.
    with pytest.raises(ExplanationError, match="options for 'gradcam'; expected one of the methods grad-cam"):
        compare_methods(model, images, "grad-cam", options={"gradcam": {"dihedral": True}})
