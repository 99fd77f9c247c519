from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, precision_score

from breastcls.decisions.net_benefit import decision_curve
from breastcls.decisions.operating_points import operating_table
from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_codes, case_strata
from breastcls.predictions.predictions import Predictions

QUICK = Bootstrap(50)


def test_net_benefit_against_a_loop(draw):
    some = draw(1, mixed=True, ties=False)
    table = decision_curve(some, bootstrap=QUICK)
    assert len(table) == 99
    for threshold, row in table.iterrows():
        (_, false), (_, true) = confusion_matrix(some.labels, some.positive >= np.float32(threshold))
        odds = threshold / (1 - threshold)
        assert row["model"] == pytest.approx(true / 300 - false / 300 * odds)
        positives = some.labels.mean()
        assert row["all"] == pytest.approx(positives - (1 - positives) * odds)
        assert row["none"] == 0
        assert row["low"] <= row["high"]


def test_an_example_by_hand():
    """150 of 1000 are positive; at 10% nine false alarms weigh as much as one positive found.

    Everything called positive: 0.15 - 0.85 / 9. A test that finds 120 of them with 180 false alarms: 0.12 - 0.18 / 9.
    """
    labels = np.repeat([1, 0], [150, 850])
    scores = np.concatenate([np.repeat([0.9, 0.0], [120, 30]), np.repeat([0.9, 0.0], [180, 670])])
    some = Predictions.from_arrays(probabilities=scores, labels=labels, classes=("no", "yes"))
    row = decision_curve(some, thresholds=[0.1], bootstrap=Bootstrap(2)).iloc[0]
    assert row["all"] == pytest.approx(0.0555556, abs=1e-6)
    assert row["model"] == pytest.approx(0.10)


# What dca() of the R package dcurves gives for these 750 patients, from the benchmark results that its Python
# counterpart is tested against (r_bin_dca_result_1.csv, Apache License 2.0).
PUBLISHED = {
    0.05: (0.1055438596491228, 0.09473684210526317),
    0.10: (0.08740740740740742, 0.04444444444444445),
    0.15: (0.07921568627450981, -0.011764705882352927),
    0.20: (0.06733333333333334, -0.07499999999999998),
    0.25: (0.06400000000000002, -0.1466666666666666),
    0.30: (0.05466666666666668, -0.2285714285714286),
    0.35: (0.050153846153846146, -0.32307692307692315),
    0.40: (0.038666666666666676, -0.43333333333333335),
}


def test_the_published_example_of_dcurves():
    table = pd.read_csv(Path(__file__).parents[1] / "support" / "data" / "cancer_predictions.csv", comment="#")
    some = Predictions.from_arrays(
        probabilities=table["probability"].to_numpy(), labels=table["cancer"].to_numpy(), classes=("no", "cancer")
    )
    found = decision_curve(some, thresholds=list(PUBLISHED), bootstrap=Bootstrap(2))
    np.testing.assert_allclose(found[["model", "all"]], list(PUBLISHED.values()), atol=1e-12)


def test_bands_equal_repeated_cases(draw):
    some = draw(2, images=200, cases=24, ties=False)
    bootstrap = Bootstrap(20, 0.8, "percentile")
    found = decision_curve(some, thresholds=[0.5], bootstrap=bootstrap).iloc[0]
    codes, values = case_codes(some), []
    for weights in np.concatenate(list(bootstrap.weights(case_strata(some.labels, codes, 2)))):
        rows = np.repeat(np.arange(200), weights[codes].astype(int))
        values.append(decision_curve(some[rows], thresholds=[0.5], bootstrap=Bootstrap(1)).iloc[0]["model"])
    np.testing.assert_allclose(found[["low", "high"]].astype(float), np.quantile(values, [0.1, 0.9]))


def test_predictive_values_follow_the_prevalence(draw):
    some = draw(3, mixed=True)
    own = float(some.labels.mean())
    table = operating_table(some, thresholds=[0.4, 0.6], prevalences=(own, 0.01), bootstrap=QUICK)
    for threshold in (0.4, 0.6):
        called = some.positive >= np.float32(threshold)
        row = table.loc[(threshold, own)]
        assert row["ppv"] == pytest.approx(precision_score(some.labels, called))
        assert row["npv"] == pytest.approx(precision_score(1 - some.labels, ~called))
        assert row["sensitivity"] == pytest.approx(called[some.labels == 1].mean())
        assert row["specificity"] == pytest.approx((~called[some.labels == 0]).mean())
        rare = table.loc[(threshold, 0.01)]
        found, alarms = row["sensitivity"] * 0.01, (1 - row["specificity"]) * 0.99
        assert rare["ppv"] == pytest.approx(found / (found + alarms))
        assert rare["ppv_low"] <= rare["ppv"] <= rare["ppv_high"]


def test_a_stated_prevalence_moves_the_curve(draw):
    some = draw(3)
    as_found = decision_curve(some, prevalence=float(some.labels.mean()), bootstrap=QUICK)["model"]
    np.testing.assert_allclose(as_found, decision_curve(some, bootstrap=QUICK)["model"])
    rare = decision_curve(some, prevalence=0.01, bootstrap=QUICK)
    assert rare.loc[0.5, "all"] == pytest.approx(0.01 - 0.99)


def test_nothing_called_positive_has_no_predictive_value(draw):
    table = operating_table(draw(), thresholds=[1.0], prevalences=[0.1], bootstrap=QUICK)
    assert np.isnan(table["ppv"].iloc[0])
    assert table["npv"].iloc[0] == pytest.approx(0.9)


@pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")
def test_what_rests_on_one_case_has_no_interval():
    rng = np.random.default_rng(0)
    cases = np.repeat(["a", "b", "c", "d"], 20)
    labels = (cases != "a").astype(int)
    some = Predictions.from_arrays(
        probabilities=rng.random(80), labels=labels, cases=cases.tolist(), classes=("no", "yes")
    )
    table = operating_table(some, prevalences=[0.1], bootstrap=QUICK)
    shown = {name.removesuffix("_low") for name in table if name.endswith("_low") and table[name].notna().all()}
    assert shown == {"sensitivity"}
    assert table[["specificity", "ppv", "npv"]].notna().all(axis=None)
    by_case = operating_table(some.aggregate("case"), prevalences=[0.1], bootstrap=QUICK)
    assert by_case["sensitivity_low"].notna().all()
    assert (by_case[["specificity_reason", "ppv_reason", "npv_reason"]] == "too-few-cases").all(axis=None)


def test_what_is_refused(draw):
    with pytest.raises(EvaluationError, match="two classes"):
        decision_curve(draw(classes=("a", "b", "c")))
    with pytest.raises(EvaluationError, match="between 0 and 1"):
        decision_curve(draw(), thresholds=[0.0, 0.5])
    for prevalence in (30, -0.1, float("nan")):
        with pytest.raises(EvaluationError, match=f"`prevalence` is {prevalence}; it must lie in 0..1"):
            decision_curve(draw(), prevalence=prevalence, bootstrap=QUICK)
    with pytest.raises(EvaluationError, match="prevalences"):
        operating_table(draw(), prevalences=[10])
