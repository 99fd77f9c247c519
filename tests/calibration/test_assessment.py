import json
import warnings

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from breastcls.calibration.assessment import assess_calibration, predicted_and_observed
from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.metrics.classification_metrics import compute_metrics
from breastcls.predictions.predictions import Predictions

QUICK = Bootstrap(100)


@pytest.mark.parametrize(("table", "strategy"), [("equal_width", "uniform"), ("equal_mass", "quantile")])
def test_reliability_against_scikit_learn(draw, table, strategy):
    some = draw(1, mixed=True, ties=False)
    found = getattr(assess_calibration(some, bootstrap=QUICK), table)
    frequency, predicted = calibration_curve(some.labels, some.positive.astype(float), n_bins=10, strategy=strategy)
    np.testing.assert_allclose(found["frequency"], frequency)
    np.testing.assert_allclose(found["probability"], predicted)
    assert found["images"].sum() == 300
    assert (found["low"] <= found["frequency"]).all()
    assert (found["frequency"] <= found["high"]).all()


@pytest.mark.parametrize("classes", [("benign", "malignant"), ("a", "b", "c")])
def test_errors_against_a_loop(draw, classes):
    some = draw(2, classes=classes, ties=False)
    errors = assess_calibration(some, bootstrap=QUICK).errors
    predicted, observed = predicted_and_observed(some)
    place = np.minimum(np.floor(10 * predicted), 9)
    widths = [np.flatnonzero(place == number) for number in range(10) if (place == number).any()]
    masses = np.split(np.argsort(predicted), 10)
    for name, members in (("equal_width", widths), ("equal_mass", masses)):
        gaps = [abs(predicted[inside].mean() - observed[inside].mean()) for inside in members]
        shares = [len(inside) / 300 for inside in members]
        assert errors.loc[f"ece_{name}", "value"] == pytest.approx(np.dot(gaps, shares))
        assert errors.loc[f"mce_{name}", "value"] == pytest.approx(max(gaps))
    assert (errors["low"] <= errors["high"]).all()


def reliability_of(predicted, labels, bins=10):
    some = Predictions.from_arrays(
        probabilities=predicted, labels=labels, classes=("no", "yes"), cases=np.arange(len(labels)).astype(str)
    )
    found = assess_calibration(some, bins=bins, bootstrap=QUICK)
    return found.equal_mass, found.errors["value"]


@pytest.mark.parametrize("images", [11, 20, 21, 101])
def test_probabilities_of_0_and_1_have_separate_bins(images):
    """All probabilities are 0 or 1, of each half is right: the error is a quarter or more, although the means agree."""
    ones = images // 2
    predicted = np.repeat([0.0, 1.0], [images - ones, ones])
    labels = np.zeros(images, int)
    labels[: (images - ones) // 2] = 1  # positives predicted at 0
    labels[-(ones // 2) :] = 1  # and at 1
    table, errors = reliability_of(predicted, labels)
    assert table["images"].tolist() == [images - ones, ones]
    assert table["probability"].tolist() == [0, 1]
    missed, found = (images - ones) // 2, ones // 2
    by_hand = (missed + ones - found) / images
    assert errors["ece_equal_mass"] == pytest.approx(by_hand)
    assert errors["mce_equal_mass"] == pytest.approx(max(missed / (images - ones), 1 - found / ones))


def test_probabilities_of_1_have_a_bin_of_their_own():
    predicted = np.concatenate([np.arange(1, 11) / 20, np.ones(10)])
    labels = np.array([0, 0, 0, 0, 0, 0, 0, 1, 0, 1] + [1] * 6 + [0] * 4)
    table, errors = reliability_of(predicted, labels)
    assert table["images"].tolist() == [2] * 5 + [10]
    assert table["frequency"].tolist() == [0, 0, 0, 0.5, 0.5, 0.6]
    assert table.iloc[-1][["lower", "upper"]].tolist() == [1, 1]
    # Means of the pairs: 0.075, 0.175, 0.275, 0.375, 0.475.
    gaps = [0.075, 0.175, 0.275, 0.125, 0.025]
    assert errors["ece_equal_mass"] == pytest.approx((2 * sum(gaps) + 10 * 0.4) / 20, abs=1e-6)


def test_equal_probabilities_share_a_bin():
    generator = np.random.default_rng(0)
    for seed in range(30):
        predicted = generator.choice(generator.random(1 + seed), 97).astype(np.float32)
        predicted[: 5 * (seed % 4)] = seed % 2
        table, _ = reliability_of(predicted, np.arange(97) % 2)
        assert table["images"].sum() == 97
        edges = [*table["lower"], table["upper"].iloc[-1]]
        # By ranks: the bin of a value is where the middle of its ranks lies, counted one value at a time.
        middles = {
            value: (predicted < value).mean() + (predicted == value).mean() / 2 for value in set(predicted.tolist())
        }
        bins = {}
        for value in sorted(middles):
            bins.setdefault(int(10 * middles[value] + 1e-9), []).append(value)
        assert table["images"].tolist() == [int(np.isin(predicted, inside).sum()) for inside in bins.values()]
        np.testing.assert_allclose(
            table["probability"], [predicted[np.isin(predicted, inside)].mean() for inside in bins.values()], rtol=1e-5
        )
        assert edges == sorted(edges)
        for end in (predicted.min(), predicted.max()):
            if (predicted == end).sum() >= 9.7:
                assert [end] in bins.values()


def test_intervals_are_those_of_repeated_cases(draw):
    some = draw(3, images=60, cases=10, ties=False)
    bootstrap = Bootstrap(20, 0.8, "percentile")
    from breastcls.intervals.case_statistics import case_codes, case_strata

    codes = case_codes(some)
    values = []
    for weights in np.concatenate(list(bootstrap.weights(case_strata(some.labels, codes, 2)))):
        rows = np.repeat(np.arange(60), weights[codes].astype(int))
        values.append(assess_calibration(some[rows], bootstrap=Bootstrap(1)).errors.loc["ece_equal_width", "value"])
    found = assess_calibration(some, bootstrap=bootstrap).errors.loc["ece_equal_width"]
    np.testing.assert_allclose(found[["low", "high"]].astype(float), np.quantile(values, [0.1, 0.9]))


def brier_by_hand(predicted, found, bins=10):
    """Murphy's parts over bins of equal width, bin by bin; what they hide by the variance and covariance inside."""
    images, base = len(predicted), np.mean(found)
    reliability = resolution = within = 0.0
    for number in range(bins):
        inside = np.minimum(np.floor(bins * predicted), bins - 1) == number
        if inside.any():
            share, said, was = inside.sum() / images, np.mean(predicted[inside]), np.mean(found[inside])
            reliability += share * (said - was) ** 2
            resolution += share * (was - base) ** 2
            spread, misses = predicted[inside] - said, found[inside] - was
            within += share * (np.mean(spread**2) - 2 * np.mean(spread * misses))
    return [np.mean((predicted - found) ** 2), reliability, resolution, base * (1 - base), within]


PARTS = ["brier", "reliability", "resolution", "uncertainty", "within_bins"]


def test_the_brier_score_is_the_sum_of_its_parts(draw):
    some = draw(4, mixed=True, ties=False)
    table = assess_calibration(some, bootstrap=QUICK).brier
    assert (table["low"] <= table["high"]).all()
    parts = table["value"]
    assert parts["log_loss"] == pytest.approx(compute_metrics(some)["log_loss"])
    assert parts["brier"] == pytest.approx(brier_score_loss(some.labels, some.positive))
    assert parts["brier"] == pytest.approx(compute_metrics(some)["brier"])
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within_bins"]
    assert parts["brier"] == pytest.approx(total)


def test_the_parts_are_those_of_the_plain_formula(draw):
    some = draw(4, mixed=True, ties=False)
    predicted, found = predicted_and_observed(some)
    table = assess_calibration(some, bootstrap=QUICK).brier
    np.testing.assert_allclose(table.loc[PARTS, "value"], brier_by_hand(predicted, found))


def test_intervals_of_the_parts_are_those_of_repeated_cases(draw):
    from breastcls.intervals.case_statistics import case_codes, case_strata

    some = draw(3, images=60, cases=12, ties=False)
    bootstrap = Bootstrap(20, 0.8, "percentile")
    codes = case_codes(some)
    values = []
    for weights in np.concatenate(list(bootstrap.weights(case_strata(some.labels, codes, 2)))):
        rows = np.repeat(np.arange(60), weights[codes].astype(int))
        values.append(brier_by_hand(*predicted_and_observed(some[rows])))
    table = assess_calibration(some, bootstrap=bootstrap).brier
    low, high = np.quantile(values, [0.1, 0.9], axis=0)
    np.testing.assert_allclose(table.loc[PARTS, "low"], low)
    np.testing.assert_allclose(table.loc[PARTS, "high"], high)


def test_errors_and_brier_score_of_few_cases_have_no_interval_as_in_an_evaluation(draw):
    for cases, known in ((8, False), (10, True)):
        some = draw(3, images=60, cases=cases, ties=False)
        found = assess_calibration(some, bootstrap=QUICK)
        assert (found.errors["reason"] == ("" if known else "few-cases")).all()
        assert found.errors[["low", "high"]].notna().all(axis=None) == known
        table = found.brier.loc[["brier", "log_loss"]]
        with warnings.catch_warnings(action="ignore"):  # of few cases
            metrics = evaluate(some, bootstrap=QUICK).metrics.loc[["brier", "log_loss"]]
        assert (table["reason"] == ("" if known else "few-cases")).all()
        assert table["reason"].tolist() == metrics["reason"].tolist()
        assert table["low"].notna().tolist() == [known, known]


def test_murphys_terms_when_each_bin_has_one_value():
    some = Predictions.from_arrays(
        probabilities=np.repeat([0.15, 0.65], 10),
        labels=[1] + [0] * 9 + [1] * 8 + [0] * 2,
        classes=("no", "yes"),
        cases=np.arange(20),
    )
    # Probabilities are float32, and 0.15 is none.
    parts = assess_calibration(some, bootstrap=QUICK).brier["value"]
    assert parts["within_bins"] == pytest.approx(0, abs=1e-7)
    assert parts["reliability"] == pytest.approx(0.5 * 0.05**2 + 0.5 * 0.15**2)
    assert parts["resolution"] == pytest.approx(0.35**2)
    assert parts["uncertainty"] == pytest.approx(0.45 * 0.55)


def test_a_calibrated_model_has_little_error():
    generator = np.random.default_rng(0)
    predicted = generator.random(20_000)
    some = Predictions.from_arrays(
        probabilities=predicted,
        labels=(generator.random(20_000) < predicted).astype(int),
        classes=("a", "b"),
        cases=(np.arange(20_000) // 100).astype(str),
    )
    assert assess_calibration(some, bootstrap=QUICK).errors.loc["ece_equal_width", "value"] < 0.015


def test_the_edges_of_the_range_have_a_bin():
    some = Predictions.from_arrays(
        probabilities=[0.0, 1.0, 0.5], labels=[0, 1, 1], classes=("a", "b"), cases=list("xyz")
    )
    table = assess_calibration(some, bootstrap=QUICK).equal_width
    assert table["images"].tolist() == [1, 1, 1]
    assert table["lower"].tolist() == [0.0, 0.5, 0.9]
    with pytest.raises(EvaluationError, match="bins"):
        assess_calibration(some, bins=0)


def test_it_serialises(draw):
    found = assess_calibration(draw(), bootstrap=QUICK)
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    place = content["errors"]["index"].index("ece_equal_mass")
    assert content["errors"]["data"][place][0] == pytest.approx(found.errors.loc["ece_equal_mass", "value"])
    assert content["event"] == "positive class"
    assert "ece_equal_width" in str(found)
