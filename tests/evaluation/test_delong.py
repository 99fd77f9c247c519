import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from breastcls.errors import EvaluationError
from breastcls.evaluation.delong import delong


def draw_scores(seed=0, images=60, models=3, decimals=1):
    generator = np.random.default_rng(seed)
    labels = (generator.random(images) < 0.4).astype(int)
    shared = generator.normal(size=images) + labels
    return (shared + 0.7 * generator.normal(size=(models, images))).round(decimals), labels


def by_definition(scores, labels):
    """DeLong's covariance from every pair of a positive and a negative image."""
    positive, negative = scores[:, labels == 1], scores[:, labels == 0]
    wins = (positive[:, :, None] > negative[:, None, :]) + 0.5 * (positive[:, :, None] == negative[:, None, :])
    return (
        wins.mean(axis=(1, 2)),
        np.cov(wins.mean(axis=2)) / positive.shape[1] + np.cov(wins.mean(axis=1)) / negative.shape[1],
    )


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_against_the_definition(decimals):
    scores, labels = draw_scores(decimals=decimals)
    found = delong(scores, labels)
    auc, covariance = by_definition(scores, labels)
    np.testing.assert_allclose(found.auc, auc)
    np.testing.assert_allclose(found.covariance, covariance)
    np.testing.assert_allclose(found.auc, [roc_auc_score(labels, row) for row in scores])


def test_one_image_a_case_is_delong():
    scores, labels = draw_scores()
    plain, by_case = delong(scores, labels), delong(scores, labels, np.arange(60))
    np.testing.assert_allclose(by_case.covariance, plain.covariance)


def test_copied_images_add_nothing_where_cases_are_known():
    scores, labels = draw_scores()
    cases = np.arange(60)
    once = delong(scores, labels, cases)
    thrice = delong(np.tile(scores, 3), np.tile(labels, 3), np.tile(cases, 3))
    np.testing.assert_allclose(thrice.covariance, once.covariance)
    assert delong(np.tile(scores, 3), np.tile(labels, 3)).covariance[0, 0] < 0.5 * once.covariance[0, 0]


@pytest.mark.slow
def test_the_variance_over_cases_is_that_of_new_samples():
    """Clusters that hold both classes: the mean estimate against the spread of the AUC over fresh samples."""
    generator = np.random.default_rng(0)
    values, variances = [], []
    for _ in range(600):
        cases = np.repeat(np.arange(40), 6)
        labels = (generator.random(240) < 0.4).astype(int)
        scores = labels + generator.normal(size=40)[cases] + generator.normal(size=240)
        found = delong(scores, labels, cases)
        values.append(found.auc[0])
        variances.append(found.covariance[0, 0])
    assert np.mean(variances) == pytest.approx(np.var(values), rel=0.15)


@pytest.mark.slow
def test_p_values_are_even_where_there_is_no_difference():
    p_values = []
    for seed in range(400):
        scores, labels = draw_scores(seed, images=100, models=2, decimals=6)
        p_values.append(delong(scores, labels).difference(0, 1)[2])
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.09


def test_equal_models_do_not_differ():
    scores, labels = draw_scores(models=1)
    assert delong(np.vstack([scores, scores]), labels).difference(0, 1) == (0.0, 0.0, 1.0)


def test_too_little():
    with pytest.raises(EvaluationError, match="both classes"):
        delong([0.1, 0.2], [1, 1])
    with pytest.raises(EvaluationError, match="two images of each class"):
        delong([0.1, 0.2, 0.3], [1, 0, 0])
    with pytest.raises(EvaluationError, match="two cases of each class"):
        delong([0.1, 0.2, 0.3, 0.4], [1, 1, 0, 0], ["a", "a", "b", "c"])
