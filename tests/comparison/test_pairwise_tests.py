import dataclasses

import numpy as np
import pandas as pd
import pytest

from breastcls.comparison.auc_covariance import delong
from breastcls.comparison.p_values import holm
from breastcls.comparison.pairwise_tests import enough_for_delong, pairs_of, pairwise_tests, score_differences
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics, case_codes, case_strata
from breastcls.intervals.score_tables import score
from breastcls.metrics.classification_metrics import METRICS, compute_metrics


@pytest.fixture
def three(draw):
    some = draw(1, images=80, cases=10)
    generator = np.random.default_rng(0)
    return [dataclasses.replace(some, probabilities=some.probabilities[generator.permutation(80)]) for _ in range(3)]


def metrics_of(scored):
    return pd.concat([compute_metrics(one).rename(name) for one, name in zip(scored, "ABC", strict=False)], axis=1)


def scores_of(scored, bootstrap):
    tables = {name: score(one, CaseStatistics.of(one), bootstrap) for name, one in zip("ABC", scored, strict=False)}
    return pd.concat(tables, names=["model", "metric"])


def test_few_cases_have_no_p_value_and_no_interval_narrower_than_both(draw):
    """Four cases of each class, where one model is always right and the other makes the same error in each case."""
    some = draw(1, images=64, cases=8)
    right = np.where(some.labels == 1, 0.9, 0.1)
    wrong = np.where(np.arange(64) // 8 % 8 == 0, 1 - right, right)
    pair = [dataclasses.replace(some, probabilities=np.stack([1 - one, one], axis=1)) for one in (right, wrong)]
    scores = scores_of(pair, Bootstrap(100))
    metrics = metrics_of(pair)
    differences = score_differences(pair, metrics, scores, Bootstrap(100)).loc[("A", "B")]
    row = differences.loc["balanced_accuracy"]
    first, second = (scores.loc[(name, "balanced_accuracy")] for name in "AB")
    assert np.isnan([row["p"], row["p_holm"]]).all()
    expected = row["difference"] - np.hypot(first["value"] - first["low"], second["high"] - second["value"])
    assert row["low"] <= expected + 1e-9
    assert row["low_adjusted"] <= row["low"]
    assert row["low"] < 0 < row["high"]
    # The value of the model without errors has no interval.
    for name in ("brier", "log_loss", "mcc"):
        assert scores.loc[("A", name), "reason"] != ""
        assert differences.loc[name, ["low", "high", "low_adjusted", "high_adjusted", "p"]].isna().all()
        assert differences.loc[name, "reason"] == "value-without-interval"


def test_every_pair_is_scored_on_the_same_repeated_cases(three):
    bootstrap = Bootstrap(25, 0.8, "percentile", 4)
    found = score_differences(three, metrics_of(three), scores_of(three, bootstrap), bootstrap)
    codes = case_codes(three[0])
    names = [name for name in METRICS if name != "patient_recognition_rate"]  # copies of a slide are one slide there
    for a, b in pairs_of(3):
        values = []
        for weights in np.concatenate(list(Bootstrap(25, seed=4).weights(case_strata(three[0].labels, codes, 2)))):
            rows = np.repeat(np.arange(80), weights[codes].astype(int))
            values.append((compute_metrics(three[a][rows]) - compute_metrics(three[b][rows]))[names])
        expected = np.quantile(np.array(values), [0.1, 0.9], axis=0)
        table = found.loc[("ABC"[a], "ABC"[b])].loc[names]
        np.testing.assert_allclose(table[["low", "high"]].T, expected, atol=1e-6)
    for _, table in found.groupby(level="metric"):
        np.testing.assert_array_equal(table["p_holm"], holm(table["p"]))


def test_tests_are_those_of_each_pair_and_corrected_for_all(three):
    found = pairwise_tests(three, list("ABC"))
    both = delong(np.stack([one.positive for one in three]), three[0].labels, three[0].cases)
    assert found["delong_p"].tolist() == [both.difference(a, b)[2] for a, b in pairs_of(3)]
    np.testing.assert_array_equal(found["delong_p_holm"], holm(found["delong_p"]))
    assert found["mcnemar_p"].isna().all(), "cases have several images"


def test_delong_needs_five_cases_of_each_of_two_classes(draw):
    assert enough_for_delong(draw(cases=10))
    assert not enough_for_delong(draw(cases=9))
    assert not enough_for_delong(draw(classes=("a", "b", "c"), cases=30))
    assert not enough_for_delong(draw()[draw().labels == 1])
