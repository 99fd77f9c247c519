import dataclasses
from contextlib import nullcontext

import numpy as np
import pytest

from breastcls.errors import EvaluationWarning
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.limitations import (
    absent_classes_sentence,
    few_cases,
    find_limitations,
    not_estimable_sentence,
)
from breastcls.intervals.score_tables import count_units, score
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.predictions import Predictions


def limitations_of(some, leaking=False):
    table = score(some, CaseStatistics.of(some), Bootstrap(20))
    return " ".join(find_limitations(some, some, table, count_units(some), leaking))


def test_nothing_to_say_about_a_sound_test_set(draw):
    assert limitations_of(draw()) == ""


def test_few_cases(draw):
    (one,) = few_cases({"classes": {"benign": {"images": 9, "cases": 1}, "malignant": {"images": 9, "cases": 5}}})
    assert "benign has only 1 case" in one
    assert "not estimable from fewer than 3" in one
    assert few_cases({"classes": {"benign": {"images": 0, "cases": 0}}}) == ()
    assert "malignant has only 3 cases" in limitations_of(draw(cases=6))


def test_what_is_missing_is_named():
    one = Predictions.from_arrays(probabilities=[0.2, 0.3], labels=[0, 0], classes=("a", "b"), cases=["x", "x"])
    text = limitations_of(one)
    for words in ("no image of b", "a has only 1 case scored", "Slides are not known", "never predicted b"):
        assert words in text
    assert "Cases are not known" in limitations_of(
        one.__class__.from_arrays(probabilities=[0.2, 0.7], labels=[0, 1], classes=("a", "b"))
    )
    assert "not independent" in limitations_of(one, leaking=True)


def mixed_set(pure=("no",) * 7, images=4, **fields):
    """Cases of one class each, and one more, "m", whose images are of both."""
    names = [*pure, "mixed"]
    cases = np.repeat([f"case {number}" for number in range(len(pure))] + ["m"], images)
    labels = np.repeat([int(name == "yes") for name in names], images)
    labels[-2:] = 1
    probabilities = np.random.default_rng(0).uniform(0.1, 0.9, len(labels))
    return Predictions.from_arrays(
        probabilities=probabilities, labels=labels, cases=cases, classes=("no", "yes"), **fields
    )


@pytest.mark.parametrize("mixed", ["drop", "last"])
def test_counts_and_warnings_are_of_what_was_scored(mixed):
    some = mixed_set(("no",) * 6 + ("yes",) * 4)
    with pytest.warns(EvaluationWarning, match="The class yes has only 4 cases") if mixed == "drop" else nullcontext():
        found = evaluate(some, aggregation=Aggregation("case", mixed_labels=mixed), bootstrap=Bootstrap(20))
    counted = {"drop": (40, 10, 16, 4), "last": (44, 11, 20, 5)}[mixed]
    yes = found.counts["classes"]["yes"]
    assert (found.counts["images"], found.counts["cases"], yes["images"], yes["cases"]) == counted
    assert found.counts["classes"]["no"] == {"images": 24, "cases": 6}
    sentence = {
        "drop": "1 of 11 cases hold images of several classes and were excluded, with 4 of 44 images.",
        "last": "1 of 11 cases hold images of several classes and were labelled yes.",
    }[mixed]
    assert sentence in found.limitations
    assert f"Scored by case: {counted[1]} cases, aggregated from {counted[0]} images." in found.limitations
    # By image nothing is dropped: every image counts for its own class.
    by_image = evaluate(some, bootstrap=Bootstrap(20))
    assert by_image.counts["classes"]["yes"] == {"images": 18, "cases": 5}
    assert not any("several classes and" in one for one in by_image.limitations)


def test_a_class_that_only_mixed_cases_hold_is_missed():
    found = evaluate(mixed_set(), aggregation=Aggregation("case", mixed_labels="drop"), bootstrap=Bootstrap(20))
    assert np.isnan(found.metrics.loc["roc_auc", "value"])
    assert any("No case that was scored is of yes" in one for one in found.limitations)
    with pytest.warns(EvaluationWarning, match="yes has only 1 case scored"):
        evaluate(mixed_set(), aggregation=Aggregation("case", mixed_labels="last"), bootstrap=Bootstrap(20))


def test_three_classes_count_as_the_last_of_theirs(draw):
    found = evaluate(
        draw(classes=("a", "b", "c"), mixed=True),
        aggregation=Aggregation("case", mixed_labels="last"),
        bootstrap=Bootstrap(20),
    )
    assert (
        "24 of 24 cases hold images of several classes and were labelled as the last of their classes."
        in found.limitations
    )
    assert found.counts["classes"]["c"]["cases"] == (found.predictions.labels == 2).sum()


def test_why_there_is_no_patient_recognition_rate(draw):
    some = draw()
    assert "patient recognition rate" not in limitations_of(some)
    partly = dataclasses.replace(some, slides=np.where(np.arange(300) < 7, "", some.slides))
    assert (
        "The slide of 7 of 300 images is not known, so the patient recognition rate is not defined."
        in limitations_of(partly)
    )
    found = evaluate(some, aggregation="case", bootstrap=Bootstrap(20))
    assert np.isnan(found.metrics.loc["patient_recognition_rate", "value"])
    assert (
        "A case may have several slides, so by case the patient recognition rate is not defined." in found.limitations
    )
    with pytest.warns(EvaluationWarning, match="Cases are not known"):
        alone = evaluate(dataclasses.replace(some, cases=None), bootstrap=Bootstrap(20))
    assert "There is no confidence interval of patient_recognition_rate: cases are not known." in alone.limitations
    assert not any("too few cases of one kind" in one for one in alone.limitations)


@pytest.mark.parametrize(("how", "words"), [("majority", "shares of votes"), ("maximum", "the highest among")])
def test_votes_and_maxima_are_no_probabilities(draw, how, words):
    by_case = " ".join(
        evaluate(draw(), aggregation=Aggregation("case", method=how), bootstrap=Bootstrap(20)).limitations
    )
    assert f"By slide and by case the values are {words}" in by_case
    assert "not probabilities" in by_case
    joined_before = " ".join(
        evaluate(draw().aggregate(Aggregation("case", how)), aggregation="case", bootstrap=Bootstrap(20)).limitations
    )
    assert f"By case the values are {words}" in joined_before
    assert "not probabilities" not in " ".join(
        evaluate(draw(), aggregation="case", bootstrap=Bootstrap(20)).limitations
    )


def test_drawn_votes_are_counted():
    some = Predictions.from_arrays(
        probabilities=[0.9, 0.1] * 7 + [0.9, 0.9] * 3,
        labels=[0] * 10 + [1] * 10,
        classes=("no", "yes"),
        cases=np.repeat(np.arange(10), 2).astype(str),
    )
    found = evaluate(some, aggregation=Aggregation("case", method="majority"), bootstrap=Bootstrap(20))
    assert "The vote of 7 of 10 cases is tied; they are predicted as yes." in found.limitations
    assert found.confusion.to_numpy().tolist() == [[0, 5], [0, 5]]
    np.testing.assert_array_equal(found.operating["sensitivity"], found.metrics.loc["recall", "value"])
    np.testing.assert_array_equal(found.operating["specificity"], found.metrics.loc["specificity", "value"])
    assert "is tied" not in " ".join(
        evaluate(some, aggregation=Aggregation(method="majority"), bootstrap=Bootstrap(20)).limitations
    )


def test_many_classes_of_few_cases_are_counted_in_one_sentence():
    cases = {**{f"a{number}": 2 for number in range(500)}, **{f"b{number}": 4 for number in range(400)}, "c": 9, "d": 3}
    found = few_cases({"classes": {name: {"cases": count} for name, count in cases.items()}})
    assert len(found) == 2
    assert found[0].startswith("500 of 902 classes have fewer than 3 cases scored, such as a0, a1 and a2:")
    assert found[1].startswith("401 of 902 classes have fewer than 5 cases scored, such as b0, b1 and b2:")
    sentence = not_estimable_sentence({"classes": {name: {"cases": count} for name, count in cases.items()}})
    assert "2 cases of a2 and fewer than 3 of 497 more were scored" in sentence


def even_set(probabilities):
    """Ten cases of two images, half of them of each class."""
    labels = np.repeat(np.arange(10) % 2, 2)
    return Predictions.from_arrays(
        probabilities=probabilities(labels) if callable(probabilities) else np.full(20, probabilities),
        labels=labels,
        cases=np.repeat(np.arange(10), 2).astype(str),
        classes=("no", "yes"),
    )


def test_losses_without_an_error_have_no_interval():
    noise = np.random.default_rng(0).uniform(0, 0.2, 20)
    some = even_set(lambda labels: np.abs(labels - noise))
    table = score(some, CaseStatistics.of(some), Bootstrap(200))
    for name in ("brier", "log_loss"):
        assert table.loc[name, "reason"] == "no-errors"
        assert np.isnan([table.loc[name, "low"], table.loc[name, "high"]]).all()
    # The proportions keep the interval at the number of cases.
    assert table.loc["accuracy", "low"] < 0.9
    assert "no image is misclassified. This does not mean certainty" in limitations_of(some)
    one_wrong = even_set(lambda labels: np.abs(labels - np.where(np.arange(20) == 0, 0.9, noise)))
    assert (score(one_wrong, CaseStatistics.of(one_wrong), Bootstrap(200))["reason"] != "no-errors").all()


def test_equal_probabilities_are_named():
    assert "Every image has the same probabilities" in limitations_of(even_set(0.3))


def test_a_class_without_an_image_comes_first():
    one = Predictions.from_arrays(probabilities=[0.2, 0.3], labels=[0, 0], classes=("a", "b"), cases=["x", "y"])
    counts = count_units(one)
    assert absent_classes_sentence(counts).startswith("No image of b was scored")
    with pytest.warns(EvaluationWarning):
        assert str(evaluate(one)).startswith("No image of b was scored")
    assert absent_classes_sentence(count_units(even_set(0.3))) == ""
