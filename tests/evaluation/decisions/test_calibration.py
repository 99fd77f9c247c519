import itertools
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from breastcls.errors import EvaluationError
from breastcls.evaluation.decisions.calibration import assess_calibration, bin_edges, claims, decompose_brier
from breastcls.evaluation.intervals import Bootstrap
from breastcls.evaluation.metrics import compute_metrics
from breastcls.evaluation.predictions import Predictions

QUICK = Bootstrap(100)


@pytest.mark.parametrize(("table", "strategy"), [("equal_width", "uniform"), ("equal_mass", "quantile")])
def test_reliability_against_scikit_learn(draw, table, strategy):
    some = draw(1, mixed=True, ties=False)
    found = getattr(assess_calibration(some, bootstrap=QUICK), table)
    frequency, claimed = calibration_curve(some.labels, some.positive.astype(float), n_bins=10, strategy=strategy)
    np.testing.assert_allclose(found["frequency"], frequency)
    np.testing.assert_allclose(found["probability"], claimed)
    assert found["images"].sum() == 300
    assert (found["low"] <= found["frequency"]).all()
    assert (found["frequency"] <= found["high"]).all()


@pytest.mark.parametrize("classes", [("benign", "malignant"), ("a", "b", "c")])
def test_errors_against_a_loop(draw, classes):
    some = draw(2, classes=classes, ties=False)
    errors = assess_calibration(some, bootstrap=QUICK).errors
    claimed, came_true = claims(some)
    for name in ("equal_width", "equal_mass"):
        edges = bin_edges(claimed, 10, name.replace("_", "-"))
        gaps, shares = [], []
        for low, high in itertools.pairwise(edges):
            inside = (claimed >= low) & ((claimed < high) | (high == 1))
            if inside.any():
                gaps.append(abs(claimed[inside].mean() - came_true[inside].mean()))
                shares.append(inside.mean())
        assert errors.loc[f"ece_{name}", "value"] == pytest.approx(np.dot(gaps, shares))
        assert errors.loc[f"mce_{name}", "value"] == pytest.approx(max(gaps))
    assert (errors["low"] <= errors["high"]).all()


def test_intervals_are_those_of_repeated_cases(draw):
    some = draw(3, images=60, cases=8, ties=False)
    bootstrap = Bootstrap(20, 0.8, "percentile")
    from breastcls.evaluation.case_statistics import case_codes, case_strata

    codes = case_codes(some)
    values = []
    for weights in np.concatenate(list(bootstrap.weights(case_strata(some.labels, codes, 2)))):
        rows = np.repeat(np.arange(60), weights[codes].astype(int))
        values.append(assess_calibration(some[rows], bootstrap=Bootstrap(1)).errors.loc["ece_equal_width", "value"])
    found = assess_calibration(some, bootstrap=bootstrap).errors.loc["ece_equal_width"]
    np.testing.assert_allclose(found[["low", "high"]].astype(float), np.quantile(values, [0.1, 0.9]))


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
    claimed, found = claims(some)
    expected = decompose_brier(claimed, found, bin_edges(claimed, 10, "equal-width"))
    table = assess_calibration(some, bootstrap=QUICK).brier
    pd.testing.assert_series_equal(table.loc[list(expected.index), "value"], expected, check_names=False)


def test_intervals_of_the_parts_are_those_of_repeated_cases(draw):
    from breastcls.evaluation.case_statistics import case_codes, case_strata

    some = draw(3, images=60, cases=8, ties=False)
    bootstrap = Bootstrap(20, 0.8, "percentile")
    codes = case_codes(some)
    values = []
    for weights in np.concatenate(list(bootstrap.weights(case_strata(some.labels, codes, 2)))):
        rows = np.repeat(np.arange(60), weights[codes].astype(int))
        claimed, found = claims(some[rows])
        values.append(decompose_brier(claimed, found, np.linspace(0, 1, 11)).to_numpy())
    table = assess_calibration(some, bootstrap=bootstrap).brier
    low, high = np.quantile(values, [0.1, 0.9], axis=0)
    np.testing.assert_allclose(table["low"].iloc[:5], low)
    np.testing.assert_allclose(table["high"].iloc[:5], high)


def test_murphys_terms_when_each_bin_has_one_value():
    claimed = np.repeat([0.15, 0.65], [10, 10])
    found = np.array([1] + [0] * 9 + [1] * 8 + [0] * 2, float)
    parts = decompose_brier(claimed, found, np.linspace(0, 1, 11))
    assert parts["within_bins"] == pytest.approx(0)
    assert parts["reliability"] == pytest.approx(0.5 * 0.05**2 + 0.5 * 0.15**2)
    assert parts["resolution"] == pytest.approx(0.35**2)
    assert parts["uncertainty"] == pytest.approx(0.45 * 0.55)


def test_a_calibrated_model_has_little_error():
    generator = np.random.default_rng(0)
    claimed = generator.random(20_000)
    some = Predictions.from_arrays(
        probabilities=claimed,
        labels=(generator.random(20_000) < claimed).astype(int),
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
    assert content["claim"] == "positive class"
    assert "ece_equal_width" in str(found)
