import numpy as np
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError
from breastcls.evaluation.independence import check_independence, check_same_images
from breastcls.evaluation.predictions import Predictions

BINARY = ("benign", "malignant")


def make_dataset(cases):
    labels = [BINARY[number % 2] for number in range(len(cases))]
    return Dataset.from_columns(BINARY, path=[f"{case}.png" for case in cases], label=labels, case=cases, slide=cases)


def predictions_of(data):
    return Predictions.from_arrays(
        probabilities=np.full(len(data), 0.5),
        labels=data.labels,
        classes=BINARY,
        cases=data.cases,
        slides=data.slides,
        paths=data.paths,
    )


def test_names_are_compared_where_there_are_no_test_images():
    some = predictions_of(make_dataset(["a", "b", "c", "c"]))
    assert check_independence(some, None, None, {}) is None
    assert check_independence(some, None, make_dataset(["x", "y"]), {}).clean
    report = check_independence(some, None, make_dataset(["x", "c"]), {})
    assert report.shared_cases == report.shared_slides == ("c",)
    assert report.test_images_in_shared_cases == 2
    assert not report.pictures_compared


def test_what_the_card_says_counts_too():
    some = predictions_of(make_dataset(["a", "b"]))
    card = {"training": {"cases": ["b", "z"], "slides": []}}
    assert check_independence(some, None, None, card).shared_cases == ("b",)
    assert check_independence(some, None, make_dataset(["x", "y"]), card).shared_cases == ("b",)
    assert check_independence(some, None, None, {"training": {"cases": ["z"], "slides": ["z"]}}).clean


def test_predictions_must_be_of_the_test_images():
    data = make_dataset(["a", "b", "c"])
    some = predictions_of(data)
    check_same_images(some, data)
    for wrong, words in (
        (data[:2], "3 predictions by image and 2 test images"),
        (data[[1, 0, 2]], "labels of 2 predictions"),
        (data[[2, 1, 0]], "paths"),
    ):
        with pytest.raises(EvaluationError, match=words):
            check_same_images(some, wrong)
