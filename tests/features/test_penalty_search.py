import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from breastcls.features.penalty_search import (
    GRID,
    Regression,
    choose_penalty,
    score_penalties,
    split_cases,
)


def draw(class_count, seed=0, cases=20, images=6):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(cases), images)
    labels = groups % class_count
    features = rng.normal(size=(len(groups), 5)) * (1, 10, 0.1, 1, 1) + rng.normal(size=(cases, 5))[groups]
    features[:, 0] += labels
    return features, labels, groups


@pytest.mark.parametrize("class_count", [2, 3])
def test_the_layer_is_the_regression_of_scikit_learn(class_count):
    features, labels, _ = draw(class_count)
    counted = np.arange(1, class_count + 1) / 2
    regression = Regression(features, labels, counted, 1e-9)
    assert regression.fit(0.1)
    kernel, bias = regression.layer()
    weights = dict(enumerate(counted))
    peer = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, class_weight=weights, tol=1e-9, max_iter=5000)
    ).fit(features, labels)
    np.testing.assert_allclose(softmax(features @ kernel + bias, axis=1), peer.predict_proba(features), atol=1e-6)


def test_a_feature_that_does_not_vary_does_no_harm():
    features, labels, _ = draw(2)
    features[:, 3] = 7.0
    regression = Regression(features, labels, (1.0, 1.0), 1e-9)
    regression.fit(1.0)
    kernel, bias = regression.layer()
    features[:, 3] = 7.001
    assert np.isfinite(softmax(features @ kernel + bias, axis=1)).all()


@pytest.mark.parametrize("class_count", [2, 3])
def test_cases_are_never_divided_and_every_image_is_held_out_once(class_count):
    _, labels, groups = draw(class_count)
    parts = split_cases(labels, groups, class_count, 5, seed=1)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    for held in parts:
        assert not set(groups[held]) & set(np.delete(groups, held))
        assert len(np.unique(np.delete(labels, held))) == class_count


def test_a_class_of_one_case_cannot_be_split():
    labels, groups = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    assert split_cases(labels, groups, 2, 5, seed=0) == []


def test_losses_are_those_of_a_plain_loop():
    features, labels, groups = draw(2)
    parts = split_cases(labels, groups, 2, 4, seed=0)
    scores = score_penalties(features, labels, groups, (1.0, 1.0), parts)
    assert list(scores) == [c for c in GRID if c in scores]
    for c in (next(iter(scores)), choose_penalty(scores)):
        chosen = np.empty(len(labels))
        for held in parts:
            rest = np.setdiff1d(np.arange(len(labels)), held)
            peer = make_pipeline(StandardScaler(), LogisticRegression(C=c, tol=1e-8, max_iter=5000))
            peer.fit(features[rest], labels[rest])
            chosen[held] = peer.predict_proba(features[held])[np.arange(len(held)), labels[held]]
        losses = np.array([-np.log(chosen[groups == case].mean()) for case in np.unique(groups)])
        loss, error = scores[c]
        assert loss == pytest.approx(losses.mean(), abs=1e-3)
        assert error == pytest.approx(losses.std() / np.sqrt(len(losses)), abs=1e-3)


def test_the_smallest_within_one_standard_error_is_chosen():
    assert choose_penalty({0.001: (0.7, 0.1), 0.01: (0.55, 0.1), 0.1: (0.5, 0.06), 1.0: (0.52, 0.01)}) == 0.01
    assert choose_penalty({0.001: (0.7, 0.0), 0.01: (0.7, 0.0)}) == 0.001
