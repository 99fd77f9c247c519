import dataclasses
import tracemalloc

import numpy as np
import pytest
from scipy.special import logit

from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_codes, case_strata
from breastcls.predictions.predictions import Predictions
from breastcls.uncertainty import certainty_order as module
from breastcls.uncertainty.certainty_order import lack_of_distance
from breastcls.uncertainty.selective_prediction import aurc, risk_coverage
from breastcls.uncertainty.uncertainty_scores import score_predictions


def mean_over_orders(scores, wrong, generator, orders=4000):
    """Risks of the 1, 2, ... surest images, equals in random order: the mean over many orders."""
    total = np.zeros(len(scores))
    for _ in range(orders):
        shuffled = generator.permutation(len(scores))
        order = shuffled[np.argsort(scores[shuffled], kind="stable")]
        total += np.cumsum(wrong[order]) / np.arange(1, len(scores) + 1)
    return total / orders


def by_definition(scores, wrong):
    """Risks without equals."""
    return np.cumsum(wrong[np.argsort(scores)]) / np.arange(1, len(scores) + 1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c")])
def test_without_equals_against_the_definition(draw, seed, classes):
    some = draw(seed, images=120, cases=12, ties=False, mixed=True, classes=classes)
    wrong = (some.decisions != some.labels).astype(float)
    risks = by_definition(score_predictions(some, "entropy"), wrong)
    coverages = np.array([30, 60, 117, 120]) / 120
    found = risk_coverage(some, "entropy", coverages=coverages, bootstrap=Bootstrap(20))
    np.testing.assert_allclose(found["risk"], risks[[29, 59, 116, 119]])
    area = aurc(some, "entropy", bootstrap=Bootstrap(20))["value"]
    assert area["aurc"] == pytest.approx(risks.mean())
    best = by_definition(wrong + 1e-6 * np.arange(120), wrong)
    assert area["excess_aurc"] == pytest.approx(risks.mean() - best.mean())
    assert area["risk"] == pytest.approx(wrong.mean())


def test_equals_against_all_orders():
    generator = np.random.default_rng(0)
    scores = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3.0])
    labels = np.array([1, 0, 1, 1, 0, 1, 0, 1, 0, 0])
    some = Predictions.from_arrays(probabilities=np.full(10, 0.9), labels=labels, classes=("no", "yes"))
    risks = mean_over_orders(scores, (labels == 0).astype(float), generator)
    found = risk_coverage(some, scores, coverages=np.arange(1, 11) / 10, bootstrap=Bootstrap(5))
    np.testing.assert_allclose(found["risk"], risks, atol=0.02)
    assert aurc(some, scores, bootstrap=Bootstrap(5)).loc["aurc", "value"] == pytest.approx(risks.mean(), abs=0.01)


@pytest.mark.parametrize("ties", [True, False])
def test_bands_equal_repeated_cases(draw, ties):
    some = draw(3, images=240, cases=24, ties=ties)
    bootstrap = Bootstrap(30, 0.8, "percentile")
    curve = risk_coverage(some, coverages=[0.6, 1.0], bootstrap=bootstrap)
    area = aurc(some, bootstrap=bootstrap)
    codes, curves, areas = case_codes(some), [], []
    for weights in np.concatenate(list(bootstrap.weights(case_strata(some.labels, codes, 2)))):
        again = some[np.repeat(np.arange(240), weights[codes].astype(int))]
        curves.append(risk_coverage(again, coverages=[0.6, 1.0], bootstrap=Bootstrap(1))["risk"])
        areas.append(aurc(again, bootstrap=Bootstrap(1))["value"])
    np.testing.assert_allclose(curve[["low", "high"]].T, np.quantile(curves, [0.1, 0.9], axis=0))
    np.testing.assert_allclose(area[["low", "high"]].T, np.quantile(areas, [0.1, 0.9], axis=0), atol=1e-12)


def test_blocks_change_nothing(draw, monkeypatch):
    some = draw()
    whole = aurc(some, bootstrap=Bootstrap(40))
    monkeypatch.setattr(module, "BLOCK", 700)
    np.testing.assert_array_equal(aurc(some, bootstrap=Bootstrap(40)), whole)


def test_a_score_that_says_nothing_has_the_risk_everywhere(draw):
    some = draw(mixed=True)
    flat = risk_coverage(some, np.zeros(300), bootstrap=Bootstrap(5))
    risk = (some.decisions != some.labels).mean()
    np.testing.assert_allclose(flat["risk"], risk)
    assert aurc(some, np.zeros(300), bootstrap=Bootstrap(5)).loc["aurc", "value"] == pytest.approx(risk)


def test_no_mistakes_and_only_mistakes():
    for label, risk in ((1, 0.0), (0, 1.0)):
        some = Predictions.from_arrays(
            probabilities=[0.9, 0.8, 0.7], labels=[label] * 3, cases=list("abc"), classes=("no", "yes")
        )
        areas = aurc(some, bootstrap=Bootstrap(10))["value"]
        assert areas.tolist() == pytest.approx([risk, 0.0, risk])


def test_the_threshold_decides(draw):
    some = draw(mixed=True).with_threshold(0.8)
    found = risk_coverage(some, coverages=[1.0], bootstrap=Bootstrap(5))
    assert found["risk"].iloc[0] == pytest.approx(((some.positive >= np.float32(0.8)) != (some.labels == 1)).mean())


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.8])
def test_a_threshold_puts_in_order_too(draw, threshold):
    some = draw(5, images=120, cases=12, ties=False, mixed=True).with_threshold(threshold)
    positive = some.positive.astype(float)
    wrong = ((positive >= threshold) != (some.labels == 1)).astype(float)
    risks = by_definition(-np.abs(logit(positive) - logit(threshold)), wrong)
    coverages = np.arange(1, 121) / 120
    np.testing.assert_allclose(risk_coverage(some, coverages=coverages, bootstrap=Bootstrap(2))["risk"], risks)
    assert aurc(some, bootstrap=Bootstrap(2)).loc["aurc", "value"] == pytest.approx(risks.mean())
    # A score asked for by name is left as it is.
    named = by_definition(score_predictions(some, "entropy"), wrong)
    found = risk_coverage(some, "entropy", coverages=coverages, bootstrap=Bootstrap(2))["risk"]
    np.testing.assert_allclose(found, named)
    assert (threshold == 0.5) == np.allclose(named, risks)


def test_only_just_called_is_least_sure():
    """At 0.1 the image of 0.12 is the doubtful one, though of all its probability is the surest."""
    some = Predictions.from_arrays(
        probabilities=[0.12, 0.6, 0.7, 0.01],
        labels=[0, 1, 1, 0],
        cases=list("abcd"),
        classes=("no", "yes"),
        threshold=0.1,
    )
    assert np.argsort(lack_of_distance(some)).tolist() == [2, 1, 3, 0]
    found = risk_coverage(some, coverages=[0.25, 0.5, 0.75, 1.0], bootstrap=Bootstrap(5))
    assert found["risk"].tolist() == [0, 0, 0, 0.25]
    by_name = risk_coverage(some, "max-probability", coverages=[0.5], bootstrap=Bootstrap(5))
    assert by_name["risk"].tolist() == [0.5]


def test_distances_are_finite_at_the_ends():
    ends = Predictions.from_arrays(probabilities=[0.0, 1.0], labels=[0, 1], cases=["a", "b"], classes=("no", "yes"))
    for threshold in (None, 0.0, 0.3, 1.0):
        assert np.isfinite(lack_of_distance(ends.with_threshold(threshold))).all()
    with pytest.raises(EvaluationError, match="two classes"):
        lack_of_distance(Predictions.from_arrays(probabilities=[[0.2, 0.3, 0.5]], labels=[0], classes=("a", "b", "c")))


@pytest.mark.parametrize("full", [0, 10, 10**9])
@pytest.mark.parametrize("known", [True, False])
def test_sparse_and_dense_blocks_give_the_same(draw, monkeypatch, full, known):
    some = draw(6, images=90, cases=9, ties=known)
    if not known:
        some = dataclasses.replace(some, cases=None)
    monkeypatch.setattr(module, "FULL", full)
    order = module.CertaintyOrder(some, None)
    weights = np.concatenate(list(Bootstrap(30).weights(order.strata)))
    at = np.array([0.1, 0.35, 0.7, 1.0])
    codes = case_codes(some)
    for found, weight in zip(order.risks(weights, at), weights, strict=True):
        again = some[np.repeat(np.arange(90), weight[codes].astype(int))]
        expected = risk_coverage(again, coverages=at, bootstrap=Bootstrap(1))["risk"]
        np.testing.assert_allclose(found, expected)


def test_memory_grows_with_the_images_and_not_faster():
    """Without cases a dense array of blocks and images would take 128 MB here."""
    generator = np.random.default_rng(0)
    some = Predictions.from_arrays(
        probabilities=generator.random(40_000), labels=generator.integers(0, 2, 40_000), classes=("no", "yes")
    )
    order = module.CertaintyOrder(some, None)
    weights = generator.integers(0, 3, (2, 40_000)).astype(float)
    tracemalloc.start()
    order.risks(weights, np.array([0.2, 0.9]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"coverages": [0.0, 0.5]}, "`coverages` must be"),
        ({"coverages": [1.5]}, "`coverages` must be"),
        ({"uncertainty": np.zeros(3)}, "one finite number"),
        ({"uncertainty": np.full(300, np.nan)}, "NaN"),
        ({"uncertainty": "disagreement"}, "each member"),
    ],
)
def test_wrong_arguments(draw, arguments, words):
    with pytest.raises(EvaluationError, match=words):
        risk_coverage(draw(), **arguments)
