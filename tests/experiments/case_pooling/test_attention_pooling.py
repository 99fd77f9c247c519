"""Attention over the images of a case: its formula, its gradient, and what it can do that the mean cannot."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import breastcls as bc
from breastcls.errors import EvaluationError, TrainingError
from breastcls.experiments.case_pooling.attention_pooling import (
    POOLINGS,
    Bags,
    compute_loss,
    draw_parameters,
)
from breastcls.experiments.case_pooling.case_model import CaseModel
from breastcls.experiments.case_pooling.case_model_fit import fit_case_model
from breastcls.experiments.case_pooling.pooling_cross_validation import compare_pooling
from breastcls.features.embedding_table import load_embeddings
from support.vector_fixtures import make_vectors

pytestmark = pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")


def random_parameters(pooling, size=5, classes=3, hidden=4, seed=0):
    like = draw_parameters(pooling, size, classes, hidden, seed)
    flat = np.random.default_rng(seed).normal(size=like.join().size)
    return like.split(flat)


def pool_by_formula(parameters, vectors):
    """Equations 8 and 9 of Ilse et al. 2018, image after image."""
    scores = []
    for vector in vectors:
        hidden = np.tanh(parameters.tanh_kernel.T @ vector + parameters.tanh_bias)
        if parameters.pooling == "gated-attention":
            hidden *= 1 / (1 + np.exp(-(parameters.gate_kernel.T @ vector + parameters.gate_bias)))
        scores.append(0.0 if parameters.pooling == "mean" else parameters.attention @ hidden)
    weights = np.exp(scores) / np.exp(scores).sum()
    logits = sum(weight * vector for weight, vector in zip(weights, vectors, strict=True)) @ parameters.kernel
    powers = np.exp(logits + parameters.bias)
    return weights, powers / powers.sum()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_weights_and_probabilities_follow_the_formula(pooling):
    vectors = np.random.default_rng(1).normal(size=(8, 5))
    starts = np.array([0, 3, 4])
    parameters, bags = random_parameters(pooling), Bags(vectors, starts)
    expected = [pool_by_formula(parameters, part) for part in np.split(vectors, starts[1:])]
    np.testing.assert_allclose(parameters.weights(bags), np.concatenate([one[0] for one in expected]), rtol=1e-12)
    np.testing.assert_allclose(parameters.probabilities(bags), np.stack([one[1] for one in expected]), rtol=1e-12)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_gradient_is_that_of_differences(pooling):
    bags = Bags(np.random.default_rng(1).normal(size=(8, 5)), np.array([0, 3, 4]))
    like = random_parameters(pooling)
    given = (like, bags, np.array([0, 2, 1]), np.array([0.2, 0.5, 0.3]), 0.7)
    flat = like.join()
    steps = np.eye(len(flat)) * 1e-6
    found = [(compute_loss(flat + step, *given)[0] - compute_loss(flat - step, *given)[0]) / 2e-6 for step in steps]
    np.testing.assert_allclose(compute_loss(flat, *given)[1], found, atol=1e-7)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_order_of_the_images_of_a_case_does_not_matter(pooling):
    vectors = np.random.default_rng(1).normal(size=(8, 5))
    order = np.array([2, 0, 1, 3, 7, 5, 4, 6])
    parameters, starts = random_parameters(pooling), np.array([0, 3, 4])
    same, permuted = Bags(vectors, starts), Bags(vectors[order], starts)
    np.testing.assert_allclose(parameters.probabilities(permuted), parameters.probabilities(same), rtol=1e-12)
    np.testing.assert_allclose(parameters.weights(permuted), parameters.weights(same)[order], rtol=1e-12)


def test_the_mean_is_the_logistic_regression_on_the_means_of_the_cases():
    data = make_vectors(cases=40, signal=0.5)
    model = fit_case_model(data, "mean", penalties=[0.1])
    standard = (data.vectors - model.mean) / model.scale
    codes = pd.factorize(data.cases)[0]
    means = np.stack([standard[codes == case].mean(axis=0) for case in range(40)])
    labels = data.labels[np.unique(codes, return_index=True)[1]]
    # Two vectors of coefficients with the penalty of each are one with twice their difference.
    reference = LogisticRegression(C=2 / (0.1 * 40), tol=1e-10, max_iter=10_000).fit(means, labels)
    np.testing.assert_allclose(model.predict(data).positive, reference.predict_proba(means)[:, 1], atol=5e-3)


def planted(cases, seed, each=10, size=8, shift=6.0):
    """Cases of which one image decides: the mean hides it, attention finds it."""
    generator = np.random.default_rng(seed)
    case = np.repeat(np.arange(cases), each)
    vectors = generator.normal(size=(len(case), size))
    shown = np.arange(cases) * each + generator.integers(each, size=cases)
    vectors[shown[1::2], 0] += shift
    table = pd.DataFrame(
        {
            "path": [f"{seed}/{row}.png" for row in range(len(case))],
            "case": [f"{seed}-{one}" for one in case],
            "label": np.where(case % 2, "malignant", "benign"),
        }
    )
    return load_embeddings(table, vectors), shown[1::2]


@pytest.fixture(scope="module")
def planted_models():
    train, _ = planted(60, 1)
    return {name: fit_case_model(train, name, hidden=8, penalties=[0.1]) for name in POOLINGS}


def test_vectors_of_another_encoder_are_refused(planted_models):
    test, _ = planted(4, 3)
    model = dataclasses.replace(planted_models["mean"], encoder={"name": "vit-s16"})
    other, same = (load_embeddings(test.table, test.vectors, encoder=name) for name in ("uni", "vit-s16"))
    with pytest.raises(EvaluationError, match=r"trained on vectors of vit-s16, and these are of uni"):
        model.predict(other)
    # Nothing is compared where the encoder is not known.
    np.testing.assert_array_equal(model.predict(same).probabilities, model.predict(test).probabilities)


@pytest.mark.parametrize("pooling", POOLINGS[1:])
def test_attention_finds_the_image_that_decides_and_the_mean_does_not(planted_models, pooling):
    test, shown = planted(80, 2)
    scores = {
        name: roc_auc_score(found.labels, found.positive)
        for name in ("mean", pooling)
        for found in [planted_models[name].predict(test)]
    }
    assert scores[pooling] > 0.95
    assert scores["mean"] < 0.85
    attention = planted_models[pooling].attend(test)
    largest = attention.loc[attention.groupby("case")["weight"].idxmax()].index
    assert np.isin(shown, largest).mean() > 0.9
    np.testing.assert_allclose(attention.groupby("case")["weight"].sum(), 1)


def test_the_same_seed_gives_the_same_bits_and_a_file_the_same_model(planted_models, tmp_path):
    train, _ = planted(60, 1)
    test, _ = planted(10, 3)
    again = fit_case_model(train, "attention", hidden=8, penalties=[0.1])
    expected = planted_models["attention"].predict(test).probabilities
    np.testing.assert_array_equal(again.predict(test).probabilities, expected)
    loaded = CaseModel.load(again.save(tmp_path / "model.npz"))
    np.testing.assert_array_equal(loaded.predict(test).probabilities, expected)
    assert str(loaded) == str(again)
    content = (tmp_path / "model.npz").read_bytes()
    for damaged in (b"", content[: len(content) // 2]):
        (tmp_path / "damaged.npz").write_bytes(damaged)
        with pytest.raises(TrainingError, match="cannot be read as a model of cases"):
            CaseModel.load(tmp_path / "damaged.npz")
    other = fit_case_model(train, "attention", hidden=8, penalties=[0.1], seed=1)
    assert not np.array_equal(other.predict(test).probabilities, expected)


def test_more_components_than_images_are_fitted_in_their_principal_axes():
    data = make_vectors(cases=8, size=64)
    model = fit_case_model(data, "mean", penalties=[0.5])
    standard = Bags((data.vectors - model.mean) / model.scale, np.arange(0, 32, 4))
    shares, labels = np.full(8, 1 / 8), np.arange(8) % 2
    loss, gradient = compute_loss(model.parameters.join(), model.parameters, standard, labels, shares, 0.5)
    zero = compute_loss(np.zeros_like(gradient), model.parameters, standard, labels, shares, 0.5)[0]
    assert loss < zero
    assert np.abs(gradient).max() < 1e-2


@pytest.fixture(scope="module")
def compared():
    data, _ = planted(24, 1, each=5)
    options = {"folds": 2, "hidden": 4, "penalties": [0.1], "bootstrap": bc.intervals.Bootstrap(100)}
    return data, compare_pooling(data, ("mean", "attention"), **options), options


def test_poolings_are_judged_by_case_on_the_same_folds(compared):
    data, result, options = compared
    assert list(result.table.index) == ["mean", "attention"]
    assert result.predictions["mean"].level == "case"
    assert result.predictions["mean"].cases.tolist() == list(dict.fromkeys(data.cases))
    row = result.table.loc["attention"]
    assert row["roc_auc"] == roc_auc_score(
        *(getattr(result.predictions["attention"], n) for n in ("labels", "positive"))
    )
    expected = result.table.loc["attention", "roc_auc"] - result.table.loc["mean", "roc_auc"]
    assert row["roc_auc_difference"] == pytest.approx(expected)
    assert row["roc_auc_difference_low"] <= expected <= row["roc_auc_difference_high"]
    assert len(result.attention) == len(data)
    assert "than the mean" in result.verdicts[0]
    assert str(result) == str(compare_pooling(data, ("mean", "attention"), **options))
    assert result.to_json()


def test_that_the_verdicts_are_not_corrected_for_several_poolings_is_stated(compared):
    _, result, options = compared
    several = {**result.predictions, "other": result.predictions["attention"]}
    three = dataclasses.replace(
        result, comparison=bc.compare(several, metric="roc_auc", bootstrap=options["bootstrap"], aggregation="case")
    )
    assert any("verdicts are corrected for 3 pairs" in one for one in three.comparison.limitations)
    assert not any("verdicts are corrected" in one for one in three.limitations)
    assert len(three.limitations) == len(three.comparison.limitations)
    assert any("the verdicts, are not corrected" in one for one in three.limitations)
    assert not any("not corrected" in one for one in result.limitations)


def test_a_picture_of_a_case_shows_its_images_by_their_weight(easy_vectors, tmp_path):
    data, _ = easy_vectors
    result = compare_pooling(data, ("mean", "attention"), folds=2, hidden=2, penalties=[1.0])
    figure = result.plot_case("case3", tmp_path / "case.png", pooling="attention")
    weights = result.attention.query("case == 'case3'")["weight"].sort_values(ascending=False)
    titles = [axes.get_title("left") for axes in figure.axes if axes.get_title("left")]
    assert [title.split(",")[0] for title in titles] == [f"{weight:.3f}" for weight in weights]
    with pytest.raises(EvaluationError, match="case999"):
        result.plot_case("case999", pooling="attention")
    with pytest.raises(EvaluationError, match="'gated-attention'"):
        result.plot_case("case3")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"poolings": ("attention",)}, "'mean'"),
        ({"poolings": ("mean", "max")}, "'max'"),
        ({"hidden": 0}, "hidden"),
        ({"penalties": []}, "penalties"),
    ],
)
def test_wrong_arguments_are_refused(change, message):
    with pytest.raises(TrainingError, match=message):
        compare_pooling(make_vectors(), **change)


def test_cases_of_several_classes_and_data_without_vectors_are_refused(easy):
    data = make_vectors()
    mixed = load_embeddings(data.table.assign(case=["one"] * 8 + data.cases[8:].tolist()), data.vectors)
    with pytest.raises(TrainingError, match="1 of 15 cases holds images of several classes, first 'one'"):
        fit_case_model(mixed)
    with pytest.raises(TrainingError, match="extract_features"):
        fit_case_model(easy)
