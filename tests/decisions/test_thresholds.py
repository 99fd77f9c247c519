import dataclasses

import numpy as np
import pytest

from breastcls.decisions.thresholds import choose_threshold
from breastcls.errors import EvaluationError, EvaluationWarning, LeakageError
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.predictions import Predictions

BINARY = ("benign", "malignant")


def rates(some, value):
    decided = some.positive >= np.float32(value)
    return decided[some.labels == 1].mean(), 1 - decided[some.labels == 0].mean()


def every_threshold(some):
    """All that decide differently, by brute force: at each score, and above all."""
    return [*np.unique(some.positive).tolist(), 1.1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ties", [True, False])
def test_each_rule_against_brute_force(draw, seed, ties):
    some = draw(seed, mixed=True, ties=ties)
    all_rates = [(value, *rates(some, value)) for value in every_threshold(some)]

    youden = choose_threshold(some)
    assert sum(rates(some, youden.value)) == pytest.approx(max(a + b for _, a, b in all_rates))
    assert (youden.sensitivity, youden.specificity) == pytest.approx(rates(some, youden.value))

    for target in (0.5, 0.9, 1.0):
        found = choose_threshold(some, "sensitivity", target=target)
        assert found.sensitivity >= target
        assert found.specificity == pytest.approx(max(b for _, a, b in all_rates if a >= target))
        if target < 1:
            found = choose_threshold(some, "specificity", target=target)
            assert found.specificity >= target
            assert found.sensitivity == pytest.approx(max(a for _, a, b in all_rates if b >= target))

    for costs, prevalence in (((1, 1), None), ((1, 20), None), ((5, 1), 0.1)):
        share = some.labels.mean() if prevalence is None else prevalence

        def cost(pair, costs=costs, share=share):
            return costs[0] * (1 - share) * (1 - pair[1]) + costs[1] * share * (1 - pair[0])

        found = choose_threshold(some, "cost", costs=costs, prevalence=prevalence)
        assert cost(rates(some, found.value)) == pytest.approx(min(cost(pair[1:]) for pair in all_rates))


@pytest.mark.parametrize("few", [1, 2, 3, 4])
@pytest.mark.parametrize("rule", ["youden", "half", "cost", "sensitivity"])
def test_few_cases_do_not_support_a_choice(draw, few, rule):
    some = draw(1, images=120, cases=24)
    benign = sorted(set(some.cases[some.labels == 0]))[:few]
    some = some[(some.labels == 1) | np.isin(some.cases, benign)]
    options = {"cost": {"costs": (1, 5)}, "sensitivity": {"target": 0.95}}.get(rule, {})
    with pytest.warns(EvaluationWarning, match=f"is based on {few} case"):
        found = choose_threshold(some, rule, **options)
    assert found.class_cases[0] == few
    assert found.to_dict()["limitations"][0] in str(found)
    assert ("not estimable" in found.limitations[0]) == (few < 3)
    if rule == "sensitivity":
        assert "reaches 0.95 is not shown" in found.limitations[1]
    # An evaluation with it repeats the limitation.
    test = dataclasses.replace(draw(2), cases=np.array([f"new {name}" for name in draw(2).cases], dtype=object))
    assert found.limitations[0] in evaluate(test, threshold=found, bootstrap=Bootstrap(10)).limitations


def test_cases_that_are_not_known_are_a_limitation(draw):
    found = choose_threshold(dataclasses.replace(draw(), cases=None, slides=None))
    assert found.class_cases == ()
    assert "Cases are not known" in str(found)


def test_half_is_half(draw):
    assert choose_threshold(draw(), "half").value == 0.5


def test_adjacent_float32_values_are_distinguished():
    low = np.float32(0.5)
    high = np.nextafter(low, np.float32(1))
    some = Predictions.from_arrays(probabilities=np.array([low, high]), labels=[0, 1], classes=BINARY)
    found = choose_threshold(some)
    assert (found.sensitivity, found.specificity) == (1, 1)


def test_the_test_set_is_refused(draw):
    some = draw()
    with pytest.raises(EvaluationError, match="test predictions"):
        choose_threshold(dataclasses.replace(some, part="test"))
    evaluation = evaluate(some, bootstrap=Bootstrap(10))
    with pytest.raises(EvaluationError, match="test predictions"):
        choose_threshold(evaluation.predictions)
    with pytest.raises(EvaluationError, match="not on Evaluation"):
        choose_threshold(evaluation)


def test_a_threshold_is_not_scored_on_its_own_cases(draw):
    some = draw(images=400, cases=40)
    first = np.isin(some.cases, sorted(set(some.cases))[:20])
    threshold = choose_threshold(some[first])
    with pytest.raises(LeakageError):
        evaluate(some, threshold=threshold, bootstrap=Bootstrap(10))
    found = evaluate(some[~first], threshold=threshold, bootstrap=Bootstrap(10))
    assert found.settings["threshold"] == threshold.value
    # That the threshold was chosen on other cases says nothing of the training.
    assert found.leakage is None


@pytest.mark.parametrize("part", ["train", "test"])
def test_predictions_of_these_parts_are_refused(draw, part):
    with pytest.raises(EvaluationError, match=f"These are {part} predictions"):
        choose_threshold(dataclasses.replace(draw(), part=part))


def test_it_knows_the_level_it_was_chosen_at(draw):
    some = draw()
    by_image, by_case = choose_threshold(some), choose_threshold(some.aggregate(Aggregation("case", "mean-logit")))
    assert (by_image.level, by_image.aggregation_method) == ("image", None)
    assert (by_case.level, by_case.aggregation_method) == ("case", "mean-logit")
    assert by_case.to_dict()["level"] == "case"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rule": "best"}, "expected one of"),
        ({"rule": "sensitivity"}, "need `target`"),
        ({"rule": "youden", "target": 0.9}, "the other rules neither"),
        ({"rule": "cost"}, "needs `costs`"),
        ({"rule": "cost", "costs": (0, 0)}, "`costs` are"),
        ({"rule": "sensitivity", "target": 95}, "`target` is 95"),
        ({"rule": "sensitivity", "target": float("nan")}, "`target` is nan"),
        ({"rule": "cost", "costs": (1, 1), "prevalence": 30}, "`prevalence` is 30"),
        ({"rule": "cost", "costs": (1, 1), "prevalence": -0.1}, "`prevalence` is -0.1"),
        ({"rule": "cost", "costs": (1, float("nan"))}, "`costs` are"),
        ({"rule": "youden", "prevalence": 0.1}, "does not depend on it"),
    ],
)
def test_wrong_arguments(draw, arguments, words):
    with pytest.raises(EvaluationError, match=words):
        choose_threshold(draw(), **arguments)


def test_what_has_no_threshold(draw):
    with pytest.raises(EvaluationError, match="two classes"):
        choose_threshold(draw(classes=("a", "b", "c")))
    with pytest.raises(EvaluationError, match="one class"):
        choose_threshold(draw()[draw().labels == 1])
    certain = Predictions.from_arrays(probabilities=[1.0, 1.0, 0.5], labels=[0, 1, 1], classes=BINARY)
    with pytest.raises(EvaluationError, match="above 1"):
        choose_threshold(certain, "specificity", target=1.0)
