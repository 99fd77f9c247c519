import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from breastcls.errors import TrainingError
from breastcls.images.epoch_order import EpochOrder
from breastcls.training.class_weights import class_weights


def test_balanced_is_that_of_scikit_learn():
    labels = np.array([0] * 17 + [1] * 5 + [2] * 9)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert list(class_weights("balanced", labels, "abc").values()) == pytest.approx(expected.tolist())


def test_a_class_without_images_does_not_disturb():
    assert class_weights("balanced", np.array([0, 0, 2, 2]), "abc") == {0: 1.0, 1: 1.0, 2: 1.0}


def test_what_sampling_balances_is_not_balanced_again():
    labels = np.array([0] * 17 + [1] * 5 + [2] * 9)
    assert list(class_weights("balanced", labels, "abc", groups=labels).values()) == pytest.approx([1, 1, 1])


def test_balanced_goes_by_what_case_balanced_sampling_draws():
    labels = np.repeat([0, 0, 1, 1], [12, 3, 6, 5])
    cases = np.repeat([0, 1, 2, 2], [12, 3, 6, 5])
    weights = class_weights("balanced", labels, "ab", groups=cases)
    order = EpochOrder(len(labels), 8, seed=1, groups=cases)
    drawn = np.concatenate([labels[order.rows(epoch)] for epoch in range(300)])
    expected = class_weights("balanced", drawn, "ab")
    assert [weights[0], weights[1]] == pytest.approx([expected[0], expected[1]], rel=0.01)
    assert weights[0] < weights[1]
    assert weights != pytest.approx(class_weights("balanced", labels, "ab"), rel=0.05)


def test_mapping_and_none():
    assert class_weights(None, np.array([0]), "ab") is None
    assert class_weights({"b": 2, "a": 1}, np.array([0]), "ab") == {0: 1.0, 1: 2.0}


@pytest.mark.parametrize("wrong", [{"a": 1}, {"a": 1, "b": 0}, {"a": 1, "c": 1}, {"a": 1, "b": float("nan")}, "even"])
def test_what_is_not_valid(wrong):
    with pytest.raises(TrainingError, match=r"class_weight|Class weights"):
        class_weights(wrong, np.array([0, 1]), "ab")
