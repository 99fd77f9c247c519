import numpy as np
import pytest
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from breastcls.features.batched_regressions import BatchedRegressions
from breastcls.features.linear_probe import fit_linear_probe
from breastcls.features.nested_probes import ProbeTask, fit_probes, search_penalties
from breastcls.features.penalty_search import Regression, score_penalties, split_cases
from breastcls.features.shared_features import SharedFeatures


def draw(rows, width, seed=0):
    """Correlated features of unlike scale, one of them constant, with two classes of 1 : 2."""
    generator = np.random.default_rng(seed)
    labels = (np.arange(rows) % 3 == 0).astype(np.int64)
    mixing = generator.normal(size=(width, width)) * np.geomspace(1, 0.01, width)[:, None]
    features = generator.normal(size=(rows, width)) @ mixing + 0.3 * labels[:, None] + 5
    features[:, 2] = 2.0
    return features, labels, np.arange(rows) // 5


@pytest.mark.parametrize("width", [30, 400])  # fewer features than rows, and more
@pytest.mark.parametrize("exact", [True, False])
def test_each_column_is_the_regression_of_scikit_learn_on_its_rows(width, exact):
    features, labels, _ = draw(150, width)
    generator = np.random.default_rng(1)
    left_out = np.array_split(generator.permutation(150), 4)
    permuted = [labels, *(generator.permutation(labels) for _ in range(3))]
    weights = np.stack([np.where(one == 1, 3.0, 0.5) for one in permuted], axis=1)
    for column, rows in enumerate(left_out):
        weights[rows, column] = 0
    shared = SharedFeatures.of(features)
    problems = BatchedRegressions.of(shared, np.stack(permuted, axis=1), weights, exact=exact)
    solution = np.zeros((4, width + 1))
    for c in (1e-3, 1e-1, 10.0):
        solution, reached = problems.solve(1 / (c * weights.sum(axis=0)), solution, 1e-8 if exact else 1e-5)
        assert reached.all()
        kernels, biases = problems.layer(solution)
        for column, rows in enumerate(left_out):
            rest = np.setdiff1d(np.arange(150), rows)
            scaler = StandardScaler().fit(features[rest])
            peer = LogisticRegression(C=c, tol=1e-10, max_iter=10000)
            peer.fit(scaler.transform(features[rest]), permuted[column][rest], weights[rest, column])
            expected = peer.predict_proba(scaler.transform(features))[:, 1]
            np.testing.assert_allclose(
                expit(problems.logits(solution)[:, column]), expected, atol=1e-5 if exact else 4e-3
            )
            np.testing.assert_allclose(
                expit(features @ kernels[column] + biases[column]), expected, atol=1e-5 if exact else 4e-3
            )


def test_a_feature_that_varies_in_left_out_rows_only_does_no_harm():
    features, labels, _ = draw(90, 6)
    features[:, 3] = np.where(np.arange(90) < 9, 50.0, 0.0)
    weights = np.ones((90, 1))
    weights[:9] = 0
    problems = BatchedRegressions.of(SharedFeatures.of(features), labels[:, None], weights)
    solution, _ = problems.solve(np.array([1e-4]), np.zeros((1, 7)), 1e-5)
    without = BatchedRegressions.of(SharedFeatures.of(np.delete(features, 3, axis=1)), labels[:, None], weights)
    expected, _ = without.solve(np.array([1e-4]), np.zeros((1, 6)), 1e-5)
    np.testing.assert_allclose(problems.logits(solution), without.logits(expected), atol=5e-3)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.5, 3.0)])
def test_the_penalty_is_scored_as_one_fold_after_the_other(weights):
    features, labels, groups = draw(150, 20)
    parts = split_cases(labels, groups, 2, 5, seed=0)
    task = ProbeTask(labels, np.arange(150), weights, parts, 0.01)
    [found], _ = search_penalties(SharedFeatures.of(features), [task], groups)
    expected = score_penalties(features, labels, groups, weights, parts)
    assert list(found) == list(expected)
    np.testing.assert_allclose(list(found.values()), list(expected.values()), atol=5e-4)


def test_probes_fitted_together_are_those_fitted_alone():
    features, labels, groups = draw(150, 20)
    shared, tasks, alone = SharedFeatures.of(features), [], []
    for fold in range(3):
        rows = np.flatnonzero(groups % 3 != fold)
        parts = [rows[held] for held in split_cases(labels[rows], groups[rows], 2, 5, seed=0)]
        tasks.append(ProbeTask(labels, rows, (1.0, 2.0), parts, 0.01))
        alone.append(fit_linear_probe(features[rows], labels[rows], groups[rows], 2, class_weight={1: 2.0}))
    tasks.append(ProbeTask(labels, tasks[0].rows, (1.0, 2.0), [], 0.01))
    *fitted, given = fit_probes(shared, tasks, groups)
    for one, probe in zip(fitted, alone, strict=True):
        assert one.converged
        assert one.c == probe.c
        np.testing.assert_allclose(expit(one.logits), probe.probabilities(features)[:, 1], atol=2e-6)
        np.testing.assert_allclose(features @ one.kernel + one.bias, one.logits, atol=1e-4)
    regression = Regression(features[tasks[0].rows], labels[tasks[0].rows], (1.0, 2.0), 1e-10)
    regression.fit(0.01)
    kernel, bias = regression.layer()
    assert given.c == 0.01
    assert given.scores == {}
    np.testing.assert_allclose(given.logits, logit(softmax(features @ kernel + bias, axis=1)[:, 1]), atol=1e-5)


def test_many_rows_are_fitted_in_single_precision_to_the_same_probabilities(monkeypatch):
    features, labels, groups = draw(300, 20)
    expected = fit_linear_probe(features, labels, groups, 2)
    monkeypatch.setattr("breastcls.features.linear_probe.MOST_EXACT_VALUES", 1000)
    monkeypatch.setattr("breastcls.features.shared_features.MOST_EXACT_VALUES", 1000)
    monkeypatch.setattr("breastcls.features.shared_features._BLOCK_VALUES", 700)
    found = fit_linear_probe(features, labels, groups, 2)
    assert found.c == expected.c
    np.testing.assert_allclose(found.probabilities(features), expected.probabilities(features), atol=1e-3)
