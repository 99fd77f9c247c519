import dataclasses

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from breastcls.decisions.conformal import fit_conformal
from breastcls.decisions.operating_points import predictive_values
from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.proportions import has_one_row_per_case, ratio_interval, wilson_interval
from breastcls.predictions.predictions import Predictions


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize(("successes", "trials"), [(0, 7), (3, 7), (7, 7), (1, 1), (120, 450)])
def test_wilson_against_scipy(successes, trials, confidence):
    expected = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    np.testing.assert_allclose(wilson_interval(successes, trials, confidence), expected, atol=1e-12)


def test_arrays_and_nothing():
    low, high = wilson_interval([0, 2], [0, 4])
    assert np.isnan([low[0], high[0]]).all()
    assert low[1] < 0.5 < high[1]
    with pytest.raises(EvaluationError):
        wilson_interval(3, 2)


def test_case_level_shares_get_wilson_intervals(draw):
    some = draw()
    assert not has_one_row_per_case(some)
    found = evaluate(some, aggregation="case", bootstrap=Bootstrap(50))
    right = int(np.trace(found.confusion.to_numpy()))
    expected = binomtest(right, 24).proportion_ci(method="wilson")
    np.testing.assert_allclose(found.metrics.loc["accuracy", ["low", "high"]].astype(float), expected)
    (_, _), (missed, hit) = found.confusion.to_numpy()
    expected = binomtest(int(hit), int(hit + missed)).proportion_ci(method="wilson")
    np.testing.assert_allclose(found.metrics.loc["recall", ["low", "high"]].astype(float), expected)


@pytest.mark.parametrize("classes", [("benign", "malignant"), ("a", "b", "c")])
@pytest.mark.parametrize("level", ["image", "case"])
def test_the_patient_rate_of_one_slide_a_case_has_the_interval_of_accuracy(classes, level):
    labels = np.arange(24) % len(classes)
    for wrong in (0, 3):
        decided = labels.copy()
        decided[:wrong] = (decided[:wrong] + 1) % len(classes)
        names = np.array([f"case {number}" for number in range(24)])
        some = Predictions.from_arrays(
            probabilities=np.eye(len(classes))[decided], labels=labels, classes=classes, cases=names, slides=names
        )
        found = evaluate(some, aggregation=level, bootstrap=Bootstrap(50))
        for table in (found.metrics, found.by_level.loc["case"]):
            row = table.loc["patient_recognition_rate", ["low", "high"]].astype(float)
            np.testing.assert_allclose(row, wilson(24 - wrong, 24), atol=1e-12)
        nameless = evaluate(dataclasses.replace(some, slides=None), aggregation=level, bootstrap=Bootstrap(50))
        assert nameless.metrics.loc["patient_recognition_rate", ["value", "low", "high"]].isna().all()


def wilson(successes, trials):
    return list(binomtest(int(successes), int(trials)).proportion_ci(method="wilson"))


@pytest.mark.parametrize("perfect", [False, True])
def test_every_table_of_one_report_gives_a_share_of_cases_the_same_interval(draw, perfect):
    some = draw(3, ties=False)
    if perfect:
        some = dataclasses.replace(some, probabilities=np.eye(2, dtype=np.float32)[some.labels])
    subtypes = np.where(some.labels == 1, "DC", "A").astype(object)
    found = evaluate(dataclasses.replace(some, subtypes=subtypes), aggregation="case", bootstrap=Bootstrap(50))
    (right_negative, alarms), (missed, hits) = found.confusion.to_numpy()
    expected = {
        "recall": wilson(hits, hits + missed),
        "specificity": wilson(right_negative, right_negative + alarms),
        "precision": wilson(hits, hits + alarms),
    }
    operating = found.operating.iloc[0]
    for metric, bounds in expected.items():
        assert bounds[1] > bounds[0]
        places = [
            found.metrics.loc[metric, ["low", "high"]],
            found.by_level.loc[("case", metric), ["low", "high"]],
            found.per_class.loc["malignant", [f"{metric}_low", f"{metric}_high"]],
        ]
        if metric != "precision":
            name = {"recall": "sensitivity"}.get(metric, metric)
            places.append(operating[[f"{name}_low", f"{name}_high"]])
            group = {"recall": "DC", "specificity": "A"}[metric]
            places.append(found.by_subtype.loc[group, ["accuracy_low", "accuracy_high"]])
        for place in places:
            np.testing.assert_allclose(place.astype(float), bounds, atol=1e-12)
    benign = found.per_class.loc["benign"]
    np.testing.assert_allclose(benign[["recall_low", "recall_high"]].astype(float), expected["specificity"])
    np.testing.assert_allclose(benign[["specificity_low", "specificity_high"]].astype(float), expected["recall"])


def test_bins_and_prediction_sets_of_cases_get_wilson_intervals(draw):
    some = draw(3, ties=False)
    found = evaluate(some, aggregation="case", bootstrap=Bootstrap(50))
    for table in (found.calibration.equal_width, found.calibration.equal_mass):
        for _, row in table.iterrows():
            if row["cases"] < 3:
                assert row["reason"] == "too-few-cases"
                continue
            expected = wilson(round(row["frequency"] * row["images"]), row["images"])
            np.testing.assert_allclose(row[["low", "high"]].astype(float), expected, atol=1e-12)
    names = np.array([f"other {number}" for number in range(24)])
    sets = fit_conformal(dataclasses.replace(draw(4, ties=False).aggregate("case"), cases=names), coverage=0.95)
    by_case = some.aggregate("case")
    table, chosen = sets.assess(by_case, Bootstrap(50)), sets.sets(by_case)
    holds = chosen[np.arange(24), by_case.labels]
    for name, inside in (("all classes", holds >= 0), ("malignant", by_case.labels == 1)):
        row = table.loc[name]
        expected = wilson(holds[inside].sum(), inside.sum())
        np.testing.assert_allclose(row[["coverage_low", "coverage_high"]].astype(float), expected, atol=1e-12)
        single = chosen.sum(axis=1) == 1
        expected = wilson((holds & single & inside).sum(), (single & inside).sum())
        np.testing.assert_allclose(row[["single_right_low", "single_right_high"]].astype(float), expected, atol=1e-12)
    assert table["size_low"].iloc[0] < table["size"].iloc[0] < table["size_high"].iloc[0]


def test_images_of_cases_keep_the_bootstrap(draw):
    some = draw(3, ties=False)
    found = evaluate(some, bootstrap=Bootstrap(50))
    low = found.metrics.loc["recall", "low"]
    assert low == found.per_class.loc["malignant", "recall_low"]
    assert low == pytest.approx(found.operating["sensitivity_low"].iloc[0])
    (_, _), (missed, hits) = found.confusion.to_numpy()
    assert low != pytest.approx(wilson(hits, hits + missed)[0], abs=1e-6)


def test_a_ratio_against_a_published_example():
    """Perondi et al. 2004, survival with a standard and a high dose: Fagerland, Lydersen & Laake 2017, chapter 4."""
    low, high = ratio_interval((7, 34), (1, 34))
    assert (round(float(low), 4), round(float(high), 4)) == (1.1537, 41.9763)


def test_a_ratio_turned_over_has_its_bounds_turned_over():
    low, high = ratio_interval((3, 17), (8, 11))
    turned = ratio_interval((8, 11), (3, 17))
    np.testing.assert_allclose([1 / turned[1], 1 / turned[0]], [low, high])
    low, high = ratio_interval(([0, 4], [9, 9]), ([5, 0], [9, 9]))
    assert low[0] == 0
    assert np.isinf(high[1])
    assert np.isfinite([high[0], low[1]]).all()


@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.8, 0.7), (0.9, 0.95), (0.97, 0.98)])
def test_predictive_values_of_cases_are_held_as_often_as_they_say(sensitivity, specificity):
    """Every pair of counts, weighted by its probability: no simulation."""
    positives, negatives, prevalence = 25, 20, 0.1
    hits, right = np.meshgrid(np.arange(positives + 1), np.arange(negatives + 1), indexing="ij")
    chance = binom.pmf(hits, positives, sensitivity) * binom.pmf(right, negatives, specificity)
    truth, _ = predictive_values(np.float64(sensitivity), np.float64(specificity), np.float64(prevalence))
    low, high = ratio_interval((negatives - right, negatives), (hits, positives))
    odds = (1 - prevalence) / prevalence
    held = (1 / (1 + high * odds) <= truth) & (truth <= 1 / (1 + low * odds))
    assert 0.93 <= (chance * held).sum() <= 1


def test_predictive_values_without_a_false_alarm_have_a_width(draw):
    some = draw(3)
    some = dataclasses.replace(some, probabilities=np.eye(2, dtype=np.float32)[some.labels])
    found = evaluate(some, aggregation="case", prevalences=(0.0, 0.01, 1.0), bootstrap=Bootstrap(50)).operating
    rare = found.loc[(0.5, 0.01)]
    assert rare["ppv"] == rare["ppv_high"] == 1
    low, high = ratio_interval((0, 12), (12, 12))
    assert rare["ppv_low"] == pytest.approx(1 / (1 + 99 * float(high)))
    assert rare["ppv_low"] < 0.1
    assert rare["npv_low"] == pytest.approx(1 / (1 + float(ratio_interval((0, 12), (12, 12))[1]) / 99))
    assert float(low) == 0
    # At these prevalences nothing depends on the model.
    assert np.isnan(found.loc[(0.5, 0.0), "ppv_low"])
    assert found.loc[(0.5, 1.0), ["ppv_low", "ppv_high"]].isna().all()


def test_where_nothing_can_vary_there_is_no_interval():
    two = Predictions.from_arrays(probabilities=[0.2, 0.9], labels=[0, 1], cases=["x", "y"], classes=("no", "yes"))
    with pytest.warns(match="only 1 case"):
        found = evaluate(two, bootstrap=Bootstrap(10))
    for table in (found.metrics[["low", "high"]], found.per_class.filter(regex="_low|_high"), found.operating):
        assert table.filter(regex="low|high").isna().all().all()
