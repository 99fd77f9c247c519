import dataclasses
import itertools

import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import TrainingError
from breastcls.experiments.cross_validation import cross_validate
from breastcls.experiments.fold_scores import FoldScorer, score_pooled_and_folds
from breastcls.experiments.label_permutation import choose_permutation, count_permutations, permute_labels
from breastcls.experiments.logistic_head import LogisticHead
from breastcls.experiments.permutation_result import PermutationTest, permutation_p
from breastcls.experiments.permutation_testing import permutation_test
from breastcls.experiments.probe_folds import divide_again, score_in_batches
from breastcls.predictions.aggregation import Aggregation


@pytest.fixture
def build():
    """Return a function that builds a network with a backbone, whose features are kept."""
    return lambda: bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=3)


EXACT = {"frozen_head": "lbfgs", "fine_tune": False, "augment": "none", "class_weight": "balanced"}


def test_whole_cases_change_places_within_their_stratum():
    cases = np.repeat([f"c{number}" for number in range(12)], 3).astype(object)
    labels = np.repeat(np.arange(12) % 3 == 0, 3).astype(np.int64)
    strata = np.repeat(np.arange(12) < 6, 3).astype(object)
    seen = set()
    for seed in range(40):
        found = permute_labels(labels, cases, "cases", np.random.default_rng(seed), strata)
        assert all(len(set(found[cases == case])) == 1 for case in cases)
        for stratum in (True, False):
            assert found[strata == stratum].sum() == labels[strata == stratum].sum()
        seen.add(tuple(found))
    assert len(seen) > 30
    assert choose_permutation(labels, cases, None) == "cases"
    with pytest.raises(TrainingError, match="Every case holds one class"):
        choose_permutation(labels, cases, "within-cases")


def test_where_cases_hold_several_classes_images_change_places_within_them():
    generator = np.random.default_rng(0)
    cases = generator.permutation(np.repeat([f"c{number}" for number in range(9)], 8)).astype(object)
    labels = generator.integers(0, 2, 72)
    assert choose_permutation(labels, cases, None) == "within-cases"
    found = permute_labels(labels, cases, "within-cases", np.random.default_rng(1))
    assert (found != labels).any()
    for case in set(cases):
        assert found[cases == case].sum() == labels[cases == case].sum()
    with pytest.raises(TrainingError, match="cases hold several classes"):
        choose_permutation(labels, cases, "cases")


@pytest.mark.parametrize("cases", [10, 30, 70])
def test_p_values_are_uniform_where_labels_mean_nothing(cases):
    """A difference of means over cases of 600 random data sets; the share below each level is that level."""
    generator = np.random.default_rng(cases)
    names = np.array([f"c{number}" for number in range(cases)], dtype=object)
    labels = (np.arange(cases) < cases // 2).astype(np.int64)
    draws = np.stack([permute_labels(labels, names, "cases", generator) for _ in range(99)])
    values = generator.normal(size=(600, cases))

    def score(of):
        return values @ of.T / of.sum(axis=-1) - values @ (1 - of).T / (1 - of).sum(axis=-1)

    observed, null = score(labels[None])[:, 0], score(draws)
    p = np.array([permutation_p(one, row) for one, row in zip(observed, null, strict=True)])
    assert p.min() >= 0.01
    for level in (0.05, 0.2, 0.5, 0.8):
        # Three and a half standard errors.
        assert abs((p <= level).mean() - level) < 3.5 * np.sqrt(level * (1 - level) / 600) + 0.005


def test_the_null_of_a_cross_validation_of_few_cases_is_wide():
    """Ten cases of noise, an exact head: pooled scores between 0.25 and 0.8 are what chance gives."""
    generator = np.random.default_rng(0)
    code = np.repeat(np.arange(10), 4)
    cases = np.array([f"c{number}" for number in code], dtype=object)
    features = (generator.normal(size=(10, 6))[code] + 0.3 * generator.normal(size=(40, 6))).astype(np.float32)
    head = LogisticHead(features[None], features, ("no", "yes"), cases, "balanced", 0)
    scorer = FoldScorer(("no", "yes"), cases, cases, "roc_auc", Aggregation("case", mixed_labels="drop"))
    labels = (code % 2).astype(np.int64)
    drawn = [permute_labels(labels, cases, "cases", np.random.default_rng(seed)) for seed in range(8)]
    data = bc.Dataset.from_columns(
        ("no", "yes"), path=[f"{row}.png" for row in range(40)], label=["no"] * 40, case=cases
    )
    null = [pooled for pooled, _ in score_in_batches(head, scorer, divide_again(data, drawn, 5, "case", 0))]
    assert 0.3 < np.mean(null) < 0.7
    assert np.std(null) > 0.1


def test_scores_without_tables_are_those_of_predictions():
    generator = np.random.default_rng(0)
    cases = np.repeat([f"c{number}" for number in range(15)], 4).astype(object)
    labels = np.repeat(np.arange(15) % 2, 4)
    labels[0] = 1 - labels[0]  # one case of both classes
    parts = np.repeat(np.arange(15) % 3, 4)
    positive = generator.random(60).round(1).astype(np.float32)
    probabilities = np.stack([1 - positive, positive], axis=1)
    predictions = bc.Predictions.from_arrays(
        probabilities=probabilities, labels=labels, classes=("no", "yes"), cases=cases
    )
    for level in (Aggregation("image"), Aggregation("case", mixed_labels="drop")):
        for metric in ("roc_auc", "balanced_accuracy"):
            found = FoldScorer(("no", "yes"), cases, cases, metric, level).score(probabilities, labels, parts)
            assert found == pytest.approx(score_pooled_and_folds(predictions, parts, metric, level))


@pytest.mark.parametrize("sizes", [(3, 3), (2, 4), (2, 2, 2), (1, 2, 2)])
@pytest.mark.parametrize("strata", [False, True])
def test_different_permutations_against_all_of_them(sizes, strata):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    cases = np.array(list("abcdef")[: len(labels)], dtype=object)
    groups = np.where(np.arange(len(labels)) % 2, "one", "two").astype(object) if strata else None
    seen = set()
    for order in itertools.permutations(range(len(labels))):
        order = np.array(order)
        if groups is None or (groups[order] == groups).all():
            found = labels[order].tolist()
            seen.add(tuple(found.index(one) for one in found))  # whatever the names of the classes are
    assert count_permutations(labels, cases, "cases", groups) == len(seen)
    # The labels of the images of one case.
    one_case = np.full(len(labels), "one", dtype=object) if groups is None else groups
    assert count_permutations(labels, one_case, "within-cases") == len(seen)


def test_cases_of_several_classes_keep_their_labels_and_large_numbers_are_not_counted():
    labels, cases = np.array([0, 1, 0, 1, 1]), np.array(list("aabcd"), dtype=object)
    assert count_permutations(labels, cases, "cases") == 3
    assert count_permutations(np.arange(400) % 2, np.arange(400).astype(object), "cases") == 10**9


def test_few_permutations_do_not_show_that_classes_are_distinguished():
    null = np.linspace(0.2, 0.7, 199)
    for distinct, p, words in [
        (10, 0.1, "the cases are too few"),
        (35, 1 / 35, "better than permuted labels. With fewer than five cases of a class this holds for these cases"),
    ]:
        found = made(0.9, null, distinct=distinct)
        assert found.p == found.smallest_p == pytest.approx(p)
        assert words in found.verdicts[0]
        assert f"in only {distinct} different ways: p is at least {p:.2g}" in str(found)
        assert found.to_dict()["distinct_permutations"] == distinct
    assert "the permutations are too few" in made(0.9, null[:18]).verdicts[0]


def made(observed, null, metric="roc_auc", distinct=10**9):
    return PermutationTest(
        metric=metric,
        observed={"pooled": observed, "mean_over_folds": float("nan")},
        null={"pooled": tuple(null), "mean_over_folds": tuple(null)},
        null_hypothesis="None.",
        counts={"images": 9, "cases": 9, "classes": {"a": {"images": 5, "cases": 5}, "b": {"images": 4, "cases": 4}}},
        settings={"folds": 5, "by": "case", "seed": 0, "level": "case"},
        distinct=distinct,
    )


def test_the_result_says_what_a_score_below_chance_is(tmp_path):
    null = np.linspace(0.2, 0.7, 199)
    low, high = made(0.25, null), made(0.9, null)
    assert high.p == pytest.approx(1 / 200)
    assert low.p == pytest.approx((1 + (null >= 0.25).sum()) / 200)
    row = low.table.loc["pooled"]
    assert (row["null_mean"], row["null_low"]) == pytest.approx((0.45, np.quantile(null, 0.025)))
    assert "better than permuted labels" in str(high)
    assert "does not mean that reversed predictions would be right" in str(low)
    assert "b has only 4 cases" in str(low)
    assert made(0.25, null, "log_loss").p == pytest.approx((1 + (null <= 0.25).sum()) / 200)
    assert "mean over folds: not defined" in str(low)
    low.plot(tmp_path / "null.png")
    assert (tmp_path / "null.png").stat().st_size > 1000
    assert low.to_dict()["table"]["columns"] == ["observed", "null_mean", "null_low", "null_high", "p"]


@pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning", "ignore::breastcls.errors.TrainingWarning")
def test_the_observed_score_is_that_of_cross_validate_and_features_are_kept(data, build):
    found = permutation_test(build, data, permutations=3, folds=3, seed=5, workers=1, **EXACT)
    assert found.settings["features_kept"]
    whole = cross_validate(build, data, folds=3, seed=5, progress=False, **EXACT)
    row = whole.evaluation.folds.loc[("case", "roc_auc")]
    assert found.observed["pooled"] == pytest.approx(row["pooled"], abs=1e-6)
    assert found.observed["mean_over_folds"] == pytest.approx(row["mean_over_folds"], abs=1e-6)
    assert "labels of whole cases are exchangeable." in found.null_hypothesis
    again = permutation_test(build, data, permutations=3, folds=3, seed=5, workers=1, strata="magnification", **EXACT)
    assert again.null == found.null  # one magnification is one stratum
    assert "among cases of the same magnification" in again.null_hypothesis


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")
def test_any_other_training_is_repeated_by_fit(data, tiny, quick):
    options = {name: value for name, value in quick.items() if name != "seed"}
    found = permutation_test(tiny, data, permutations=1, folds=2, metric="accuracy", seed=5, **options)
    assert not found.settings["features_kept"]
    whole = cross_validate(tiny, data, folds=2, seed=5, progress=False, **options)
    assert found.observed["pooled"] == whole.evaluation["by_level"].loc[("case", "accuracy"), "value"]


def test_what_is_refused(data, tiny):
    with pytest.raises(TrainingError, match="metric is 'auc'"):
        permutation_test(tiny, data, metric="auc")
    with pytest.raises(TrainingError, match="permutations is"):
        permutation_test(tiny, data, permutations=0)
    with pytest.raises(TrainingError, match="strata is 'site'"):
        permutation_test(tiny, data, strata="site")
    frame = data.table.assign(magnification=np.where(np.arange(len(data)) % 2, 40, 200))
    with pytest.raises(TrainingError, match="every case has to be in one stratum"):
        permutation_test(tiny, dataclasses.replace(data, frame=frame), strata="magnification")
