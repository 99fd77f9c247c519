import dataclasses
import itertools
import json

import numpy as np
import pytest
from scipy.stats import binom

from breastcls.errors import EvaluationError
from breastcls.evaluation.case_statistics import case_codes, case_strata
from breastcls.evaluation.comparing.comparison import compare, holm, mcnemar
from breastcls.evaluation.intervals import Bootstrap
from breastcls.evaluation.metrics import METRICS, compute_metrics


def worsened(some, seed, share=0.5):
    """The same images judged worse: a share of the probabilities is shuffled."""
    generator = np.random.default_rng(seed)
    rows = np.arange(len(some))
    moved = generator.random(len(rows)) < share
    rows[moved] = generator.permutation(rows[moved])
    return dataclasses.replace(some, probabilities=some.probabilities[rows])


def test_differences_equal_repeated_cases(draw):
    first = draw(1, images=80, cases=10)
    second = worsened(first, 0)
    found = compare([first, second], resamples=25, confidence=0.8, interval="percentile", seed=4)
    codes, values = case_codes(first), []
    for weights in np.concatenate(list(Bootstrap(25, seed=4).weights(case_strata(first.labels, codes, 2)))):
        rows = np.repeat(np.arange(80), weights[codes].astype(int))
        values.append(compute_metrics(first[rows]) - compute_metrics(second[rows]))
    names = [name for name in METRICS if name != "patient_recognition_rate"]  # copies of a slide are one slide there
    low, high = np.quantile(np.array([value[names] for value in values]), [0.1, 0.9], axis=0)
    table = found.differences.loc[("A", "B")].loc[names]
    np.testing.assert_allclose(table["low"], low, atol=1e-6)
    np.testing.assert_allclose(table["high"], high, atol=1e-6)
    gap = compute_metrics(first)[names] - compute_metrics(second)[names]
    np.testing.assert_allclose(table["difference"], gap)


def test_the_verdict_says_which_is_better_and_when_nothing_is_shown(draw):
    some = draw(2, images=600, cases=40)
    poor = worsened(some, 1, 0.9)
    found = compare([poor, some], names=["poor", "good"], resamples=300)
    assert found.verdicts[0].startswith("good has the better balanced accuracy than poor")
    # For a loss the lower is the better.
    by_loss = compare([poor, some], names=["poor", "good"], metric="log_loss", resamples=300)
    assert by_loss.verdicts[0].startswith("good has the better log loss than poor")
    alike = compare([some, worsened(some, 1, 0.02)], resamples=300)
    assert alike.verdicts[0].startswith("No difference in balanced accuracy shown")
    same = compare([some, some], resamples=50)
    assert same.differences["p"].eq(1).all()
    assert same.tests["delong_p"].item() == 1


def test_pairing_makes_intervals_narrower(draw):
    some = draw(3, images=400, cases=40)
    near = worsened(some, 1, 0.05)
    row = compare([some, near], resamples=400).differences.loc[("A", "B", "roc_auc")]
    from breastcls.evaluation.evaluate import evaluate

    alone = evaluate(some, resamples=400).metrics.loc["roc_auc"]
    assert row["high"] - row["low"] < 0.7 * (alone["high"] - alone["low"])


def test_three_models_are_corrected_for_three_pairs(draw):
    some = draw(4)
    found = compare([some, worsened(some, 1), worsened(some, 2)], resamples=200)
    assert len(found.verdicts) == 3
    for metric in ("roc_auc", "mcc"):
        table = found.differences.xs(metric, level="metric")
        np.testing.assert_allclose(table["p_holm"], holm(table["p"]))
        assert (table["p_holm"] >= table["p"]).all()
    assert found.tests["mcnemar_p"].isna().all()
    assert compare([some, worsened(some, 1)], level="case", resamples=50).tests["mcnemar_p"].notna().all()
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["verdicts"] == list(found.verdicts)
    assert "balanced_accuracy" in str(found)


def test_holm_is_closed_testing_with_bonferroni():
    """A hypothesis is rejected where every set of hypotheses that holds it is, each by Bonferroni."""
    generator = np.random.default_rng(0)
    for _ in range(20):
        p = generator.random(4) ** 3
        expected = [
            max(
                min(1, len(chosen) * min(p[list(chosen)]))
                for size in range(1, 5)
                for chosen in itertools.combinations(range(4), size)
                if index in chosen
            )
            for index in range(4)
        ]
        np.testing.assert_allclose(holm(p), expected)
    np.testing.assert_allclose(holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])


def test_mcnemar_by_the_binomial():
    first = np.array([True] * 9 + [False] * 3 + [True] * 10)
    second = np.array([False] * 9 + [True] * 3 + [True] * 10)
    assert mcnemar(first, second) == pytest.approx(2 * binom.cdf(3, 12, 0.5))
    assert mcnemar(first, first) == 1.0


def test_what_cannot_be_compared(draw):
    some = draw()
    cases = [
        ({"models": [some]}, "two or more"),
        ({"models": [some, draw(1)]}, "are not those of A"),
        ({"models": [some, some], "names": ["x", "x"]}, "different names"),
        ({"models": [some, some], "metric": "kappa"}, "expected one of"),
        ({"models": [some, dataclasses.replace(some, classes=("a", "b"))]}, "classes or cases of B"),
    ]
    for arguments, words in cases:
        with pytest.raises(EvaluationError, match=words):
            compare(**arguments)


def test_one_case_cannot_tell_models_apart(draw):
    some = draw()[:40]
    one = dataclasses.replace(some, cases=np.full(40, "x", dtype=object))
    found = compare([one, worsened(one, 1)], resamples=20)
    assert "cannot be compared" in found.verdicts[0]
    assert np.isnan(found.tests["delong_p"].item())
