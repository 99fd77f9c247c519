import numpy as np
import pytest

from breastcls.models.calibration_map import apply_temperature
from breastcls.models.model_card import ModelCard
from breastcls.models.probability_rule import classify_outputs, decide


@pytest.mark.parametrize(("threshold", "expected"), [(None, [0, 1, 1]), (0.3, [1, 1, 1]), (0.6, [0, 0, 1])])
def test_two_classes_are_decided_from_the_threshold_on(threshold, expected):
    positive = np.array([0.3, 0.5, 0.6], np.float32)
    assert decide(np.stack([1 - positive, positive], axis=1), threshold).tolist() == expected


def test_a_threshold_is_compared_in_float32():
    # As float64, 0.1 in float32 is above 0.1 and the next lower number below it.
    lower = np.nextafter(np.float32(0.1), np.float32(0))
    assert decide(np.array([[0.9, np.float32(0.1)], [0.9, lower]], np.float32), 0.1).tolist() == [1, 0]


def test_more_classes_take_the_most_probable_and_of_equals_the_first():
    assert decide(np.array([[0.2, 0.5, 0.3], [0.2, 0.4, 0.4], [0.4, 0.2, 0.4]])).tolist() == [1, 1, 0]


def test_any_leading_axes():
    members = np.random.default_rng(0).dirichlet(np.ones(2), size=(3, 5))
    np.testing.assert_array_equal(decide(members), members[..., 1] >= 0.5)


def test_one_output_is_the_positive_class_of_two():
    found = classify_outputs([np.array([[0.25], [0.75]], np.float32)], None)
    np.testing.assert_array_equal(found.probabilities, [[0.75, 0.25], [0.25, 0.75]])
    assert found.predicted.tolist() == [0, 1]
    assert found.probabilities.dtype == np.float32


def test_half_precision_sums_to_one():
    rounded = np.random.default_rng(0).dirichlet(np.ones(8), size=20).astype(np.float16)
    assert np.abs(rounded.astype(np.float64).sum(axis=1) - 1).max() > 1e-5
    np.testing.assert_allclose(classify_outputs([rounded], None).probabilities.sum(axis=1), 1, atol=1e-6)


def test_passes_are_averaged_before_calibration_and_threshold():
    card = ModelCard(classes=("benign", "malignant"), image_size=(8, 8), temperature=2.0, threshold=0.3)
    passes = [np.array([[0.9, 0.1]], np.float32), np.array([[0.7, 0.3]], np.float32)]
    found = classify_outputs(passes, card)
    np.testing.assert_allclose(found.probabilities, apply_temperature(np.array([[0.8, 0.2]]), 2.0), atol=1e-6)
    assert (found.predicted.tolist(), found.threshold, found.calibration["method"]) == ([1], 0.3, "temperature")
