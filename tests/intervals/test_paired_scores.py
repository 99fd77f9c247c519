import dataclasses

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.paired_scores import change_text, check_metrics, score_against, score_text
from breastcls.intervals.score_tables import score
from breastcls.predictions.predictions import Predictions

QUICK = Bootstrap(300, method="percentile")
METRICS = ("balanced_accuracy", "roc_auc")


@pytest.fixture
def pair(draw):
    first = draw(1, images=400, cases=30)
    generator = np.random.default_rng(0)
    noisy = np.clip(first.positive * 0.7 + 0.3 * generator.random(len(first)), 0, 1).astype(np.float32)
    return first, dataclasses.replace(first, probabilities=np.stack([1 - noisy, noisy], axis=1))


def test_scores_are_those_of_scikit_learn_and_changes_their_differences(pair):
    first, second = pair
    same, other = score_against(first, [first, second], METRICS, QUICK)
    for table, one in ((same, first), (other, second)):
        assert table.loc["balanced_accuracy", "value"] == balanced_accuracy_score(one.labels, one.decisions)
        assert table.loc["roc_auc", "value"] == roc_auc_score(one.labels, one.positive)
    assert (same["change"] == 0).all()
    # No difference in any resample is no certainty.
    assert same[["change_low", "change_high"]].isna().all().all()
    assert (same["change_reason"] == "no-variation").all()
    assert other["change"].tolist() == (other["value"] - same["value"]).tolist()


def test_intervals_are_those_of_evaluate_and_of_a_loop(pair):
    first, second = pair
    table = score_against(first, [second], METRICS, QUICK)[0]
    alone = score(second, CaseStatistics.of(second), QUICK).loc[list(METRICS), ["value", "low", "high"]]
    np.testing.assert_allclose(table[["value", "low", "high"]], alone, atol=1e-12)
    rows_of = [np.flatnonzero(first.cases == case) for case in dict.fromkeys(first.cases)]
    differences = []
    for block in QUICK.weights(CaseStatistics.of(first).strata):
        for weights in block:
            rows = np.concatenate([np.repeat(rows, int(count)) for rows, count in zip(rows_of, weights, strict=True)])
            y = first.labels[rows]
            differences.append(roc_auc_score(y, second.positive[rows]) - roc_auc_score(y, first.positive[rows]))
    low, high = np.quantile(differences, [0.025, 0.975])
    assert table.loc["roc_auc", ["change_low", "change_high"]].tolist() == pytest.approx([low, high])


def test_pairing_makes_the_interval_of_the_change_narrower(pair):
    table = score_against(*[pair[0], [pair[1]]], METRICS, QUICK)[0]
    assert ((table["change_high"] - table["change_low"]) < (table["high"] - table["low"])).all()


def test_one_class_leaves_scores_undefined(pair):
    first, second = (one[one.labels == 1] for one in pair)
    table = score_against(first, [second], ("accuracy", *METRICS), QUICK)[0]
    assert table.loc["accuracy"].notna().all()
    assert table.loc[list(METRICS)].select_dtypes("number").isna().all().all()
    assert (table.loc[list(METRICS), ["reason", "change_reason"]] == "value-not-defined").all().all()


def test_what_cannot_be_compared(pair):
    with pytest.raises(EvaluationError, match="other images"):
        score_against(pair[0], [pair[1][::-1]], METRICS, QUICK)
    with pytest.raises(EvaluationError, match="other images"):
        score_against(pair[0], [pair[1][:5]], METRICS, QUICK)
    with pytest.raises(EvaluationError, match=r"holds \['auc'\]"):
        check_metrics(["auc"])
    with pytest.raises(EvaluationError, match="nothing"):
        check_metrics([])
    assert check_metrics("f1") == ("f1",)


def test_texts_of_what_is_not_defined(pair):
    nothing = float("nan")
    assert change_text(nothing, nothing, nothing) == "not defined"
    assert score_text({"value": 0.5, "low": nothing, "high": nothing}) == "0.500 (CI not estimable)"
    table = score_against(pair[0], [pair[1]], METRICS, QUICK)[0]
    row = table.loc["roc_auc"]
    assert score_text(row) == f"{row['value']:.3f} ({row['low']:.3f}-{row['high']:.3f})"


def test_shares_of_cases_have_the_intervals_of_an_evaluation(draw):
    first, second = (draw(1, ties=ties).aggregate("case") for ties in (True, False))
    bootstrap = Bootstrap(50)
    (table,) = score_against(first, [second], ["accuracy", "recall", "roc_auc"], bootstrap)
    expected = score(second, CaseStatistics.of(second), bootstrap).loc[table.index, ["value", "low", "high"]]
    np.testing.assert_allclose(table[["value", "low", "high"]], expected, atol=1e-12)
    assert table.loc["recall", "low"] != table.loc["recall", "value"]


def test_the_interval_of_a_change_of_few_cases_is_no_narrower_than_both():
    """Three cases that hold both classes; one side predicts nothing as positive, the other nearly all rightly."""
    labels, cases = np.tile([0, 0, 0, 1], 9), np.repeat(["a", "b", "c"], 12)
    right = np.where(labels == 1, 0.9, 0.1)
    right[0] = 0.9
    first, second = (
        Predictions.from_arrays(probabilities=values, labels=labels, cases=cases, classes=("no", "yes"))
        for values in (right, np.full(36, 0.1))
    )
    table = score_against(first, [second], ["balanced_accuracy"], QUICK)[0].loc["balanced_accuracy"]
    alone = score(first, CaseStatistics.of(first), QUICK).loc["balanced_accuracy"]
    half = np.hypot(table["value"] - table["low"], alone["high"] - alone["value"])
    assert table["change_low"] == pytest.approx(table["change"] - half)
    assert table["change_high"] - table["change_low"] > 0.3
