import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from breastcls.errors import EvaluationError
from breastcls.predictions import array_arguments as arrays


def test_names_keep_their_text_and_mark_what_is_missing():
    names = arrays.check_names(pd.Series(["a", None, "b"], dtype="string"), "slides", 3)
    assert names.tolist() == ["a", "", "b"]
    assert names.dtype == object
    assert arrays.check_names([np.nan, None], "slides", 2) is None
    assert arrays.check_names([1, 2], "slides", 2).tolist() == ["1", "2"]


def test_magnifications_may_be_missing():
    found = arrays.check_magnifications(pd.array([40, None], dtype="Int64"), 2)
    assert found.tolist() == [40, -1]
    assert found.dtype == np.int64
    assert arrays.check_magnifications(pd.array([None, None], dtype="Int64"), 2) is None
    with pytest.raises(EvaluationError, match="1 value"):
        arrays.check_magnifications([40], 2)


def test_labels_of_a_file():
    assert arrays.read_labels(["b", " a", "", "NaN"], ("a", "b")).tolist() == [1, 0, -1, -1]
    assert arrays.read_labels(["True", "False"], ("a", "b")).tolist() == [1, 0]
    assert arrays.read_labels(["-1", "1.0"], ("a", "b")).tolist() == [-1, 1]
    assert arrays.read_labels(["nan", ""], ("a", "nan")).tolist() == [1, -1]
    for wrong, words in ((["0.5"], "0.5"), (["2"], "holds .2."), (["A"], "not among the classes")):
        with pytest.raises(EvaluationError, match=words):
            arrays.read_labels(wrong, ("a", "b"))


def test_shares_and_numbers():
    assert arrays.check_share(None, "share") is None
    assert arrays.check_share(1, "share") == 1
    for wrong in (1.1, -0.1, float("nan")):
        with pytest.raises(EvaluationError, match="`share` is"):
            arrays.check_share(wrong, "share")


def test_class_names_that_are_their_own_places_may_be_numbers():
    assert arrays.check_classes([0, 1]) == ("0", "1")
    assert arrays.check_classes([False, True]) == ("False", "True")
    with pytest.raises(EvaluationError, match="as text"):
        arrays.check_classes(np.array([1, 2]))


def test_what_is_no_array():
    class Strange:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("on another device")

    with pytest.raises(EvaluationError, match="on another device"):
        arrays.to_array(Strange(), "labels")


def test_rounding_in_float32_is_left_alone():
    given = np.random.default_rng(0).dirichlet(np.ones(8), 100).astype(np.float32)
    np.testing.assert_array_equal(arrays.check_probabilities(given, tuple("abcdefgh")), given)


def test_names_are_written_as_those_of_datasets_and_paths_left_alone():
    assert arrays.check_names(np.array([1.0, 2.0]), "cases", 2).tolist() == ["1", "2"]
    assert arrays.check_names([" a ", " ", None], "slides", 3).tolist() == ["a", "", ""]
    assert arrays.check_names(["", " "], "slides", 2) is None
    with pytest.raises(EvaluationError, match="missing in 1 of 2 rows, first in row 1"):
        arrays.check_names(["a", "  "], "cases", 2, required=True)
    assert arrays.check_paths([" a.png", "1.0"], 2).tolist() == [" a.png", "1.0"]


PROBABILITIES = st.integers(2, 9).flatmap(
    lambda k: st.lists(st.lists(st.floats(0.001, 1), min_size=k, max_size=k), min_size=1, max_size=6)
)


def softmax(rows):
    values = np.array(rows)
    return values / values.sum(axis=1, keepdims=True)


@given(PROBABILITIES, st.sampled_from([2, 3, 4]), st.sampled_from([np.float64, np.float32]))
def test_rounded_probabilities_are_accepted(rows, decimals, dtype):
    exact = softmax(rows)
    names = tuple(f"c{number}" for number in range(exact.shape[1]))
    found = arrays.check_probabilities(exact.round(decimals).astype(dtype), names)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-4)
    assert np.abs(found - exact).max() <= exact.shape[1] * 10.0**-decimals


@given(PROBABILITIES, st.sampled_from([tf.bfloat16, tf.float16]))
def test_half_precision_is_accepted(rows, dtype):
    exact = softmax(rows)
    names = tuple(f"c{number}" for number in range(exact.shape[1]))
    half = tf.nn.softmax(tf.cast(np.log(exact), dtype))
    for values in (half, half.numpy(), half.numpy().astype(np.float32).tolist()):
        assert np.allclose(arrays.check_probabilities(values, names).sum(axis=1), 1, atol=1e-4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0.33, 0.33, 0.31]], "Rounding of 3 values to 2 decimals explains a difference of at most 0.015"),
        ([[0.331, 0.331, 0.331]], "3 decimals explains a difference of at most 0.0015"),
        ([[0.3, 0.3, 0.3]], "rounded to 1 decimals, which is too few"),
        ([[0.5, 0.5, 0.25]], "2 decimals explains a difference of at most 0.015"),
        ([[0.9, 0.8, 0.123456789]], "explains a difference of at most 0.001"),
    ],
)
def test_the_message_names_rounding(values, message):
    with pytest.raises(EvaluationError, match=message):
        arrays.check_probabilities(values, ("a", "b", "c"))
    with pytest.raises(EvaluationError, match="If they are percentages, divide by 100"):
        arrays.check_probabilities([[33.0, 33.0, 34.0]], ("a", "b", "c"))


def test_magnifications_are_numbers():
    assert arrays.check_magnifications(["40X", "", 200.0], 3).tolist() == [40, -1, 200]
    for wrong in (["high"], [1.5]):
        with pytest.raises(EvaluationError, match="magnifications"):
            arrays.check_magnifications(wrong, 1)


def test_classes_and_labels_that_look_the_same_are_equal():
    classes = arrays.check_classes(["benign ", "malignant\u200b"])
    assert classes == ("benign", "malignant")
    assert arrays.check_labels(["malignant", "\u00a0benign"], classes, 2).tolist() == [1, 0]
    assert arrays.read_labels(["malignant ", "benign"], classes).tolist() == [1, 0]
    with pytest.raises(EvaluationError, match="'Benign' and 'benign', which differ in spelling only"):
        arrays.check_classes(["benign", "Benign", "malignant"])
