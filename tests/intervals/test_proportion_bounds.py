import dataclasses

import numpy as np
import pytest

import breastcls as bc
from breastcls.decisions.net_benefit import decision_curve
from breastcls.decisions.operating_points import operating_table
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.minimum_cases import FEW_CASES, NO_VARIATION, no_bounds
from breastcls.intervals.proportion_bounds import Proportions, bound_few, cases_reaching, interval_at_cases
from breastcls.intervals.score_tables import score, score_with_classes
from breastcls.metrics.classification_metrics import METRICS

QUICK = Bootstrap(100)


def erring(wrong_cases, *, positives=6, negatives=12, images=20):
    """Predictions without an error but for one image of each of some positive cases."""
    cases = np.repeat(np.arange(positives + negatives), images)
    labels = (cases < positives).astype(np.int64)
    scores = np.where(labels == 1, 0.9, 0.1)
    scores[np.arange(wrong_cases) * images] = 0.2
    return bc.Predictions.from_arrays(
        probabilities=scores, labels=labels, classes=("benign", "malignant"), cases=[f"case {name}" for name in cases]
    )


def test_counts_against_a_loop():
    generator = np.random.default_rng(0)
    scores, codes = generator.integers(0, 9, 60) / 8, generator.integers(0, 12, 60)
    limits = np.array([-1, 0, 0.3, 0.5, 1, 2])
    found, reaching = Proportions.reaching(scores, codes, limits), cases_reaching(scores, codes, limits)
    for place, limit in enumerate(limits):
        right = {case for case in codes if (scores[codes == case] >= limit).any()}
        wrong = {case for case in codes if (scores[codes == case] < limit).any()}
        assert found.successes[place] == (scores >= limit).sum()
        assert (found.trials[place], found.cases[place]) == (60, len(set(codes)))
        assert found.varying[place] == min(len(right), len(wrong))
        assert reaching[place] == len(right)
    by_case = [[(scores[codes == case] >= limit).sum() for limit in limits] for case in np.unique(codes)]
    rows = np.bincount(codes)[np.unique(codes)][:, None] * np.ones(len(limits))
    for one, other in zip(Proportions.from_cases(by_case, rows), found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_mean_over_slides_of_equally_many_images_has_the_interval_of_the_accuracy():
    some = erring(3)
    slides = [f"{case} {'ab'[row % 2]}" for row, case in enumerate(some.cases)]
    some = dataclasses.replace(some, slides=np.array(slides, dtype=object))
    statistics = CaseStatistics.of(some)
    metrics = score(some, statistics, QUICK)
    of_slides, of_images = (metrics.loc[name, ["low", "high"]] for name in ("patient_recognition_rate", "accuracy"))
    np.testing.assert_allclose(of_slides.astype(float), of_images.astype(float))
    # Three of six positive cases err, and none of the negative ones: resamples alone are too near to the value.
    drawn = QUICK.intervals(statistics.compute, statistics.strata)
    assert of_slides["low"] < drawn.low[METRICS.index("patient_recognition_rate")] - 0.01


def test_one_erring_case_is_not_surer_than_none():
    """Sensitivity 0.992 of six cases, one of which has a wrong image, by every function that gives it."""
    some = erring(1)
    statistics = CaseStatistics.of(some)
    limit = interval_at_cases(119.0, 120.0, 6, 0.95)[0]
    none = interval_at_cases(120.0, 120.0, 6, 0.95)[0]
    assert 0.55 < limit < none < 0.61
    metrics = score(some, statistics, QUICK)
    assert metrics.loc["recall", "low"] == limit
    # Half of the balanced accuracy is the recall; the specificity has no error, and twelve cases.
    of_benign = 1 - interval_at_cases(240.0, 240.0, 12, 0.95)[0]
    expected = np.hypot(119 / 120 - limit, of_benign) / 2
    assert 1 - 1 / 240 - metrics.loc["balanced_accuracy", "low"] == pytest.approx(expected, rel=0.01)
    jaccard = interval_at_cases(119.0, 120.0, 6, 0.95)[0]
    assert metrics.loc["f1", "low"] == pytest.approx(2 * jaccard / (1 + jaccard))
    classes = score_with_classes(some, statistics, QUICK)[1]
    assert classes.loc["malignant", "recall_low"] == limit == classes.loc["benign", "specificity_low"]
    # All that is predicted as benign but one image is benign, and comes of twelve cases and one more.
    assert classes.loc["benign", "precision_low"] == interval_at_cases(240.0, 241.0, 13, 0.95)[0]
    table = operating_table(some, prevalences=(0.1,), bootstrap=QUICK).iloc[0]
    assert table["sensitivity_low"] == limit
    assert table["npv_low"] < 0.96
    curve = decision_curve(some, thresholds=[0.5], prevalence=0.5, bootstrap=QUICK).iloc[0]
    assert curve["model"] - curve["low"] == pytest.approx(expected, rel=0.01)


def test_from_five_erring_cases_on_the_bootstrap_is_kept():
    for wrong in range(1, 8):
        some = erring(wrong, positives=14)
        statistics = CaseStatistics.of(some)
        drawn = QUICK.intervals(statistics.compute, statistics.strata, 9)
        found = score(some, statistics, QUICK)
        assert (found.loc["recall", "low"] == drawn.low[3]) == (wrong >= FEW_CASES)
        assert (found.loc["f1", "low"] == pytest.approx(drawn.low[5])) == (wrong >= FEW_CASES)


def test_without_trials_there_is_no_proportion():
    shares = Proportions.from_cases(np.zeros((4, 2)), [[1, 0]] * 4)
    found = bound_few(no_bounds(NO_VARIATION, 2), shares, 0.95)
    assert found.reason.tolist() == ["", NO_VARIATION]
    assert found.high[0] > 0.4


@pytest.mark.parametrize("ties", [True, False])
def test_misrankings_against_every_pair(draw, ties):
    some = draw(3, images=60, cases=10, mixed=True, ties=ties)
    statistics = CaseStatistics.of(some)
    pairs = some.positive[some.labels == 1][:, None] - some.positive[some.labels == 0]
    wrong = (pairs < 0) + 0.5 * (pairs == 0)
    for found, label, axis in zip(statistics.rankings[0].misrankings(), (1, 0), (1, 0), strict=True):
        codes = statistics.codes[some.labels == label]
        np.testing.assert_allclose(found, np.bincount(codes, wrong.sum(axis=axis), minlength=statistics.cases))


def test_an_auc_with_the_wrong_ranks_of_one_case_is_not_surer_than_perfect_separation():
    some = erring(1)
    found = score(some, CaseStatistics.of(some), QUICK).loc["roc_auc"]
    assert found["reason"] == ""
    perfect = score(erring(0), CaseStatistics.of(erring(0)), QUICK).loc["roc_auc"]
    assert found["value"] == perfect["value"] == 1  # the wrong image is above all others
    scores = np.where(np.arange(len(some)) == 0, 0.05, some.positive)
    below = bc.Predictions.from_arrays(probabilities=scores, labels=some.labels, classes=some.classes, cases=some.cases)
    worse = score(below, CaseStatistics.of(below), QUICK).loc["roc_auc"]
    assert worse["value"] < 1
    assert worse["low"] < perfect["low"] < 0.85
