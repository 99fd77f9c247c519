import numpy as np
import pytest

from breastcls.evaluation.case_statistics import CaseStatistics, case_codes, case_strata
from breastcls.evaluation.metrics import METRICS, compute_metrics, count_confusion, per_class_metrics
from breastcls.evaluation.predictions import Predictions


def repeat_cases(some, weights):
    """Copy every image of a case as often as the case counts; each copy of a case has slides of its own."""
    codes = case_codes(some)
    parts = [np.flatnonzero(codes == case) for case in range(len(weights)) for _ in range(int(weights[case]))]
    copy = np.concatenate([np.full(len(part), number) for number, part in enumerate(parts)])
    rows = some[np.concatenate(parts)]
    cases = [f"{name} copy {number}" for name, number in zip(rows.cases, copy, strict=True)]
    return Predictions.from_arrays(
        probabilities=rows.probabilities,
        labels=rows.labels,
        classes=rows.classes,
        cases=cases,
        slides=rows.slides,
        threshold=rows.threshold,
    )


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("classes", [("benign", "malignant"), ("a", "b", "c")])
def test_every_metric_of_weights_equals_scikit_learn_on_repeated_rows(draw, classes, mixed):
    some = draw(7, images=200, cases=14, classes=classes, mixed=mixed)
    if len(classes) == 2:
        some = some.with_threshold(0.4)
    statistics = CaseStatistics.of(some)
    weights = np.random.default_rng(1).integers(0, 3, size=(25, 14)).astype(float)
    found = statistics.measure(weights)
    for row, values in zip(weights, found, strict=True):
        expected = compute_metrics(repeat_cases(some, row))
        # scikit-learn rounds log losses and clips in float32.
        np.testing.assert_allclose(values, expected.to_numpy(), atol=1e-7, err_msg=str(METRICS))


def test_a_resample_without_a_class_is_undefined_like_the_reference(draw):
    some = draw(3, images=60, cases=6)
    weights = np.array([[2.0, 0, 1, 0, 1, 0], [0, 1.0, 0, 1, 0, 3]])  # one class each
    found = CaseStatistics.of(some).measure(weights)
    for row, values in zip(weights, found, strict=True):
        np.testing.assert_allclose(values, compute_metrics(repeat_cases(some, row)).to_numpy(), atol=1e-7)


def test_classes_of_weights(draw):
    some = draw(2, images=100, cases=9, classes=("a", "b", "c"))
    weights = np.random.default_rng(1).integers(0, 3, size=(5, 9)).astype(float)
    found = CaseStatistics.of(some).measure_classes(weights).reshape(5, 3, 4)
    for row, values in zip(weights, found, strict=True):
        again = repeat_cases(some, row)
        expected = per_class_metrics(count_confusion(again.labels, again.decisions, 3))
        np.testing.assert_allclose(values.T, np.stack(list(expected.values())), atol=1e-12)


def test_strata_are_sets_of_classes():
    labels = np.array([0, 0, 1, 1, 0, 1, 0])
    codes = np.array([0, 1, 1, 2, 3, 3, 4])
    strata = case_strata(labels, codes, 2)
    assert strata[0] == strata[4]
    assert strata[1] == strata[3]
    assert len(set(strata.tolist())) == 3


def test_without_cases_every_row_is_its_own():
    some = Predictions.from_arrays(probabilities=[0.2, 0.7, 0.9], labels=[0, 1, 1], classes=("a", "b"))
    assert case_codes(some).tolist() == [0, 1, 2]
    assert len(CaseStatistics.of(some).strata) == 3
