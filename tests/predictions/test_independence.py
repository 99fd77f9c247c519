import dataclasses

import numpy as np
import pandas as pd
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.decisions.thresholds import choose_threshold
from breastcls.errors import EvaluationError, EvaluationWarning, LeakageError
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.independence import check_independence, check_same_images, count_shared_cases
from breastcls.predictions.predictions import Predictions

BINARY = ("benign", "malignant")


def make_dataset(cases):
    labels = [BINARY[number % 2] for number in range(len(cases))]
    return Dataset.from_columns(
        BINARY, path=[f"{n}.png" for n, _ in enumerate(cases)], label=labels, case=cases, slide=cases
    )


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
    assert not report.pixels_compared


@pytest.mark.filterwarnings("ignore:The choice of the threshold is based on:breastcls.errors.EvaluationWarning")
def test_cases_that_became_decimals_are_still_found(tmp_path):
    """One missing case makes a column of numbers one of decimals, in memory and in the file written from it."""
    table = pd.DataFrame({"case": [1, 2, 3, 4, None], "label": [0, 1, 0, 1, 0], "p": [0.1, 0.9, 0.2, 0.8, 0.5]})
    known = table.dropna()
    known.to_csv(tmp_path / "known.csv", index=False)
    parts = [
        Predictions.from_arrays(probabilities=known.p, labels=known.label, cases=cases, classes=BINARY, part="test")
        for cases in (known.case, known.case.astype(int), [" 1", "2 ", "3", "4"])
    ]
    parts.append(Predictions.from_csv(tmp_path / "known.csv", classes=BINARY, probabilities="p"))
    data = Dataset.from_columns(BINARY, path=list("abcd"), label=[BINARY[one] for one in known.label], case=known.case)
    for chosen_on in parts:
        threshold = choose_threshold(dataclasses.replace(chosen_on, part="validation"))
        for scored in parts:
            with pytest.raises(LeakageError, match="shared cases: 1, 2, 3, 4"):
                evaluate(scored, threshold=threshold, bootstrap=Bootstrap(10))
            assert check_independence(scored, None, data, {}).shared_cases == ("1", "2", "3", "4")


def test_what_the_card_says_counts_too():
    some = predictions_of(make_dataset(["a", "b"]))
    card = {"training": {"cases": ["b", "z"], "slides": []}}
    assert check_independence(some, None, None, card).shared_cases == ("b",)
    assert check_independence(some, None, make_dataset(["x", "y"]), card).shared_cases == ("b",)
    assert check_independence(some, None, None, {"training": {"cases": ["z"], "slides": ["z"]}}).clean


def test_no_leak_is_only_said_where_the_training_was_looked_at():
    some = predictions_of(make_dataset(["a", "b"]))
    elsewhere = {"threshold": {"cases": ["z"]}, "calibration": {"cases": ["y"]}}
    assert check_independence(some, None, None, elsewhere) is None
    found = check_independence(some, None, None, elsewhere | {"training": {"cases": ["t"], "slides": []}})
    assert found.clean
    assert found.compared_with == ("training", "calibration", "threshold")
    assert found.compared_by == ("cases",)
    # The threshold alone: a leak is found all the same, and not laid on the training.
    found = check_independence(some, None, None, {"threshold": {"cases": ["b", "z"]}})
    assert found.shared_cases == ("b",)
    assert found.compared_with == ("threshold",)
    assert "Images used for fitting (threshold) and test images are not independent" in str(found)


def test_without_names_nothing_was_compared():
    data = make_dataset(["a", "b"])
    nameless = dataclasses.replace(predictions_of(data), cases=None, slides=None)
    card = {"training": {"cases": ["a"], "slides": ["a"]}}
    assert check_independence(nameless, None, data, card) is None
    by_slide = check_independence(dataclasses.replace(nameless, slides=data.slides), None, data, {})
    assert by_slide.compared_by == ("slides",)
    assert by_slide.shared_slides == ("a", "b")
    assert check_independence(dataclasses.replace(nameless, slides=data.slides), None, None, {"training": {}}) is None


def test_an_evaluation_without_names_is_not_called_clean():
    data = make_dataset([f"case {number}" for number in range(12)])
    named = predictions_of(data)
    train = make_dataset(["x", "y"])
    assert evaluate(named, train=train, bootstrap=Bootstrap(10)).leakage.clean
    with pytest.warns(EvaluationWarning):
        found = evaluate(dataclasses.replace(named, cases=None, slides=None), train=train, bootstrap=Bootstrap(10))
    assert found.leakage is None
    assert any("nothing was compared with the training set" in limitation for limitation in found.limitations)


def test_the_names_of_the_test_images_count_where_the_predictions_have_none():
    data = make_dataset(["a", "b"])
    nameless = dataclasses.replace(predictions_of(data), cases=None, slides=None)
    found = check_independence(nameless, data, None, {"training": {"cases": ["b"]}})
    assert found.shared_cases == ("b",)
    assert found.test_images_in_shared_cases == 1
    # Where they have others, both count.
    renamed = dataclasses.replace(nameless, cases=np.array(["p", "q"], dtype=object))
    found = check_independence(renamed, data, None, {"training": {"cases": ["b"]}, "threshold": {"cases": ["p"]}})
    assert found.shared_cases == ("b", "p")
    assert found.test_images_in_shared_cases == 2


def test_what_the_card_and_the_training_set_leak_is_told_together():
    some = predictions_of(make_dataset(["a", "b", "c"]))
    found = check_independence(some, None, make_dataset(["a", "x"]), {"threshold": {"cases": ["b"]}})
    assert found.shared_cases == ("a", "b")
    assert found.test_images_in_shared_cases == 2
    assert found.compared_with == ("training", "threshold")


def test_what_predictions_carry_of_their_calibration_counts():
    some = dataclasses.replace(predictions_of(make_dataset(["a", "b"])), calibration={"cases": ["a"]})
    assert check_independence(some, None, None, {}).shared_cases == ("a",)
    both = check_independence(some, None, None, {"calibration": {"cases": ["b"]}})
    assert both.shared_cases == ("a", "b")


def test_shared_cases_are_counted_or_cannot_be_told():
    some = predictions_of(make_dataset(["a", "b", "b"]))
    assert count_shared_cases(some, ("b", "z")) == 1
    assert count_shared_cases(some, ("z",)) == 0
    assert count_shared_cases(some, ()) is None
    assert count_shared_cases(dataclasses.replace(some, cases=None), ("b",)) is None


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
