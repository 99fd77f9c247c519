import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from breastcls.calibration.assessment import ERRORS, assess_calibration, bin_edges
from breastcls.calibration.consistency_resampling import compare_errors, estimate_bias, resample_errors
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.predictions import Predictions

ONE_BIN = np.array([0.0, 1.0])


@pytest.mark.parametrize("images", [1, 8])
def test_cases_come_true_as_a_binomial_says_however_many_images_they_have(images):
    cases, probability = 20, 0.3
    codes = np.repeat(np.arange(cases), images)
    drawn = resample_errors(np.full(len(codes), probability), codes, [ONE_BIN], Bootstrap(20_000))
    assert (drawn[:, 0] == drawn[:, 1]).all()  # one bin: the mean and the worst are the same
    share = np.arange(cases + 1) / cases
    chance = stats.binom.pmf(np.arange(cases + 1), cases, probability)
    assert drawn[:, 0].mean() == pytest.approx(chance @ abs(share - probability), rel=0.02)
    found = compare_errors(pd.Series([0.2, 0.2], index=["ece", "mce"]), drawn, 0.95)
    assert found.loc["ece", "p"] == pytest.approx(chance[abs(share - probability) > 0.2 - 1e-9].sum(), rel=0.1)
    assert found["upper"].tolist() == pytest.approx([0.2, 0.2])


def test_events_occur_with_their_probability_by_exact_summation():
    """Two cases: the space of both random numbers is divided where an event changes, and summed exactly."""
    predicted, codes = np.array([0.1, 0.6, 0.35, 0.9, 0.55]), np.array([0, 0, 0, 1, 1])
    edges = [np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])]
    expected = np.zeros(4)
    pieces = [np.concatenate([[0.0], np.sort(predicted[codes == case]), [1.0]]) for case in (0, 1)]
    for first, second in itertools.product(range(4), range(3)):
        (low, high), (left, right) = pieces[0][first : first + 2], pieces[1][second : second + 2]
        true = np.where(codes == 0, predicted > (low + high) / 2, predicted > (left + right) / 2)
        row = []
        for one in edges:
            place = np.digitize(predicted, one) - 1
            gaps = [abs((true - predicted)[place == number].sum()) for number in np.unique(place)]
            sizes = [(place == number).sum() for number in np.unique(place)]
            row += [sum(gaps) / 5, max(np.divide(gaps, sizes))]
        expected += (high - low) * (right - left) * np.array(row)
    drawn = resample_errors(predicted, codes, edges, Bootstrap(40_000))
    np.testing.assert_allclose(drawn.mean(axis=0), expected, rtol=0.015)


def test_blocks_and_bins_change_nothing(monkeypatch, draw):
    some = draw(1, mixed=True, ties=True)
    predicted, codes = some.positive.astype(float), pd.factorize(some.cases)[0]
    edges = [bin_edges(predicted, 10, binning) for binning in ("equal-width", "equal-mass")]
    once = resample_errors(predicted, codes, edges, Bootstrap(50))
    monkeypatch.setattr("breastcls.calibration.consistency_resampling.BLOCK", 7 * len(predicted))
    np.testing.assert_array_equal(resample_errors(predicted, codes, edges, Bootstrap(50)), once)
    shuffled = np.random.default_rng(0).permutation(len(predicted))
    other = resample_errors(predicted[shuffled], codes[shuffled], edges, Bootstrap(50))
    np.testing.assert_allclose(other, once, atol=1e-12)


def test_probabilities_of_0_and_1_have_no_random_error():
    some = Predictions.from_arrays(
        probabilities=[0.0, 0.0, 1.0, 1.0], labels=[0, 0, 1, 0], classes=("no", "yes"), cases=list("abcd")
    )
    found = assess_calibration(some, bootstrap=Bootstrap(99)).consistency
    assert found.index.tolist() == list(ERRORS)
    assert (found[["expected", "upper"]] == 0).all().all()
    assert found["p"].tolist() == [0.01] * 4


def test_the_gap_has_the_interval_of_a_mean_over_cases():
    generator = np.random.default_rng(5)
    predicted = generator.random(60)
    labels = (generator.random(60) < predicted).astype(int)
    right = (predicted >= 0.5) == labels
    table = estimate_bias(predicted, labels.astype(float), np.arange(60), Bootstrap(20_000), 20, right)
    low, high = stats.t.interval(0.95, 59, (predicted - labels).mean(), stats.sem(predicted - labels))
    assert table.loc["calibration_bias", ["value", "low", "high"]].tolist() == pytest.approx(
        [(predicted - labels).mean(), low, high], abs=0.1 * (high - low)
    )
    # Images told eight times over tell no more.
    eight = estimate_bias(
        predicted.repeat(8), labels.repeat(8).astype(float), np.arange(60).repeat(8), Bootstrap(20_000), 20,
        right.repeat(8),
    )  # fmt: skip
    columns = ["value", "low", "high"]
    np.testing.assert_allclose(eight[columns], table[columns], atol=1e-12)


def test_the_gap_of_a_calibrated_model_holds_0_as_often_as_it_says():
    """600 sets of 40 cases: 95% of the intervals, give or take three standard errors of the simulation."""
    generator, held = np.random.default_rng(6), 0
    for number in range(600):
        predicted = generator.random(40)
        found = (generator.random(40) < predicted).astype(float)
        right = (predicted >= 0.5) == found
        row = estimate_bias(predicted, found, np.arange(40), Bootstrap(300, seed=number), 9, right).iloc[0]
        held += row["low"] <= 0 <= row["high"]
    assert 0.92 <= held / 600 <= 0.98


@pytest.mark.parametrize("cases", [5, 50])
def test_without_an_error_the_bias_is_as_uncertain_as_the_accuracy(cases):
    """With probabilities near 0 and 1 no resample has another bias. Wilson's bound of n of n is n / (n + z^2)."""
    labels = np.repeat([0.0, 1.0], cases)
    predicted = np.where(labels == 1, 0.9999, 0.0001)
    right = np.ones(2 * cases, dtype=bool)
    row = estimate_bias(predicted, labels, np.arange(2 * cases), Bootstrap(99), cases, right).iloc[0]
    square = stats.norm.ppf(0.975) ** 2
    expected = square / (2 * cases + square)
    assert [row["low"], row["high"]] == pytest.approx([-expected, expected])
