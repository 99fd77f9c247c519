import tracemalloc

import numpy as np
import pytest

from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics, case_codes, case_strata
from breastcls.metrics.classification_metrics import (
    METRICS,
    ClassCounts,
    compute_metrics,
    count_confusion,
    per_class_metrics,
)
from breastcls.predictions.predictions import Predictions

# These are defined also where a class has no weight.
NEED_NO_CLASS = ("accuracy", "brier", "log_loss", "image_recognition_rate", "patient_recognition_rate")


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
    found = statistics.compute(weights)
    for row, values in zip(weights, found, strict=True):
        again = repeat_cases(some, row)
        expected = compute_metrics(again)
        if len(classes) > 2 and len(set(again.labels)) < len(classes):
            # A mean over the classes that are left would be another figure.
            expected[~expected.index.isin(NEED_NO_CLASS)] = np.nan
        # scikit-learn rounds log losses and clips in float32.
        np.testing.assert_allclose(values, expected.to_numpy(), atol=1e-7, err_msg=str(METRICS))


def test_a_resample_without_a_class_is_undefined_like_the_reference(draw):
    some = draw(3, images=60, cases=6)
    weights = np.array([[2.0, 0, 1, 0, 1, 0], [0, 1.0, 0, 1, 0, 3]])  # one class each
    found = CaseStatistics.of(some).compute(weights)
    for row, values in zip(weights, found, strict=True):
        np.testing.assert_allclose(values, compute_metrics(repeat_cases(some, row)).to_numpy(), atol=1e-7)


def test_classes_of_weights(draw):
    some = draw(2, images=100, cases=9, classes=("a", "b", "c"))
    weights = np.random.default_rng(1).integers(0, 3, size=(5, 9)).astype(float)
    found = CaseStatistics.of(some).compute_classes(weights).reshape(5, 3, 4)
    for row, values in zip(weights, found, strict=True):
        again = repeat_cases(some, row)
        expected = per_class_metrics(ClassCounts.of(count_confusion(again.labels, again.decisions, 3)))
        np.testing.assert_allclose(values.T, np.stack(list(expected.values())), atol=1e-12)


def test_a_lost_class_undefines_what_needs_it_and_nothing_else(draw):
    some = draw(3, images=90, cases=9, classes=("a", "b", "c"))
    weights = np.ones((1, 9))
    weights[0, 2::3] = 0
    found = CaseStatistics.of(some).compute(weights)[0]
    assert [name for name, value in zip(METRICS, found, strict=True) if np.isfinite(value)] == list(NEED_NO_CLASS)


def exact_sets(labels, codes, classes):
    """Return the strata by the exact set of classes of each case, numbered as they are drawn."""
    holds = np.zeros((codes.max() + 1, classes), dtype=bool)
    holds[codes, labels] = True
    return np.unique(np.packbits(holds, axis=1), axis=0, return_inverse=True)[1].reshape(-1)


def draw_mixtures(generator, classes, cases, images=5):
    """Draw the class of each image; every case has a mixture of its own."""
    mixtures = generator.dirichlet(np.full(classes, 0.5), cases)
    return np.concatenate([generator.choice(classes, images, p=mixture) for mixture in mixtures])


@pytest.mark.parametrize("classes", [1, 2, 3, 8, 12])
def test_cases_of_one_class_are_drawn_with_their_class(classes):
    generator = np.random.default_rng(classes)
    for _ in range(20):
        of_case = generator.integers(0, classes, 15)
        codes = np.repeat(np.arange(15), 2)
        np.testing.assert_array_equal(
            case_strata(of_case[codes], codes, classes), exact_sets(of_case[codes], codes, classes)
        )


def test_two_classes_have_three_strata_where_none_is_of_one_case():
    labels = np.array([0, 0, 1, 1, 0, 1, 0, 1])
    codes = np.array([0, 1, 1, 2, 3, 3, 4, 5])
    strata = case_strata(labels, codes, 2)
    np.testing.assert_array_equal(strata, exact_sets(labels, codes, 2))
    assert np.bincount(strata).tolist() == [2, 2, 2]


def test_a_case_of_its_own_kind_goes_with_the_largest_stratum():
    of_case = [(0,), (0,), (0,), (1,), (1,), (0, 1)]
    codes = np.repeat(np.arange(6), [len(one) for one in of_case])
    strata = case_strata(np.concatenate(of_case).astype(int), codes, 2)
    assert strata[5] == strata[0]
    assert np.bincount(strata).tolist() == [2, 4]


def test_several_classes_go_with_their_rarest():
    # Three cases hold class 2, four class 1, five class 0.
    of_case = [(0, 2), (0, 1, 2), (1, 2), (0, 1), (0, 1), (0,)]
    codes = np.repeat(np.arange(6), [len(one) for one in of_case])
    strata = case_strata(np.concatenate(of_case).astype(int), codes, 3)
    assert strata[0] == strata[1] == strata[2]
    assert strata[3] == strata[4] != strata[0]
    # Alone of its kind, but not the only one of its class.
    assert strata[5] == strata[0]


@pytest.mark.parametrize("classes", [2, 4, 8])
def test_only_the_only_case_of_a_class_stays_in_every_resample(classes):
    generator = np.random.default_rng(classes)
    stayed = 0
    for _ in range(200):
        cases = int(generator.integers(5, 25))
        labels, codes = draw_mixtures(generator, classes, cases), np.repeat(np.arange(cases), 5)
        strata = case_strata(labels, codes, classes)
        holders = [set(codes[labels == index]) for index in range(classes)]
        only = {case for of_class in holders if len(of_class) == 1 for case in of_class}
        alone = set(np.flatnonzero(np.bincount(strata)[strata] == 1))
        # One case beside those that stay has nobody to change places with.
        assert alone == only or (alone - only and cases - len(only) == 1)
        stayed += len(only)
    assert stayed > 0


def test_hardly_a_resample_of_mixed_cases_loses_a_class():
    labels, codes = draw_mixtures(np.random.default_rng(5), 8, 20), np.repeat(np.arange(20), 5)
    # By exact sets most cases would be in every resample.
    assert (np.bincount(exact_sets(labels, codes, 8)) == 1).sum() > 10
    holds = np.zeros((20, 8))
    holds[codes, labels] = 1
    assert (holds.sum(axis=0) > 1).all()
    weights = np.concatenate(list(Bootstrap(2000).weights(case_strata(labels, codes, 8))))
    assert ((weights @ holds > 0).all(axis=1)).mean() > 0.999
    assert (weights.std(axis=0) > 0.5).all()


def test_without_cases_every_row_is_its_own():
    some = Predictions.from_arrays(probabilities=[0.2, 0.7, 0.9], labels=[0, 1, 1], classes=("a", "b"))
    assert case_codes(some).tolist() == [0, 1, 2]
    assert len(CaseStatistics.of(some).strata) == 3


def test_many_classes_need_no_confusion_matrix_of_each_case():
    count = 300
    labels = np.arange(count * 2) % count
    probabilities = np.full((len(labels), count), 0.5 / (count - 1))
    probabilities[np.arange(len(labels)), labels] = 0.5
    many = Predictions.from_arrays(
        probabilities=probabilities, labels=labels, cases=list(map(str, labels)), classes=list(map(str, range(count)))
    )
    tracemalloc.start()
    statistics = CaseStatistics.of(many, rank=False)
    values = statistics.compute(np.ones((50, statistics.cases)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values[0, METRICS.index("balanced_accuracy")] == 1.0
    assert peak < 50e6, "a matrix of 300 x 300 for each of 300 cases has 216 MB"
