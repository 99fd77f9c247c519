import numpy as np
import pytest

from breastcls.models.decision_rule import decide


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
