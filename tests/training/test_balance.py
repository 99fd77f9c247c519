import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from breastcls.errors import TrainingError
from breastcls.training.balance import class_weights


def test_balanced_is_that_of_scikit_learn():
    labels = np.array([0] * 17 + [1] * 5 + [2] * 9)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert list(class_weights("balanced", labels, "abc").values()) == pytest.approx(expected.tolist())


def test_a_class_without_images_does_not_disturb():
    assert class_weights("balanced", np.array([0, 0, 2, 2]), "abc") == {0: 1.0, 1: 1.0, 2: 1.0}


def test_mapping_and_none():
    assert class_weights(None, np.array([0]), "ab") is None
    assert class_weights({"b": 2, "a": 1}, np.array([0]), "ab") == {0: 1.0, 1: 2.0}


@pytest.mark.parametrize("wrong", [{"a": 1}, {"a": 1, "b": 0}, {"a": 1, "c": 1}, {"a": 1, "b": float("nan")}, "even"])
def test_what_is_not_valid(wrong):
    with pytest.raises(TrainingError, match=r"class_weight|Class weights"):
        class_weights(wrong, np.array([0, 1]), "ab")
