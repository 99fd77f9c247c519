import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.metrics import roc_auc_score

from breastcls.comparison.auc_covariance import delong
from breastcls.errors import EvaluationError


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


# DeLong, DeLong & Clarke-Pearson 1988: ovarian cancer with intestinal obstruction, the 43 patients without missing
# values: albumin, total protein, Krebs-Goplerud score, and whether surgery was of benefit. As printed in the SAS/STAT
# User's Guide, PROC LOGISTIC, "Comparing Receiver Operating Characteristic Curves".
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
3.7 6.7 6 1   3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
4.0 6.6 6 0   3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
4.3 6.5 4 1   3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
2.9 5.7 9 0   2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""

# Obuchowski 1997, Table 3: two readers, 65 carotid arteries of 36 patients: patient, stenosed or not, both readings.
ARTERIES = """
1 1 87 87   1 1 79 83   2 1 88 94   2 1 95 93   3 1 100 100  3 1 68 79   4 1 65 61    4 1 89 91    5 1 97 97
5 1 100 100 6 1 100 99  6 1 89 88   7 1 77 77   8 1 94 89    8 0 45 44   9 1 89 92    9 0 -11 -17  10 1 95 91
10 0 30 14  11 1 95 95  11 0 10 -122 12 1 100 100 12 0 19 -3 13 1 75 75  14 0 70 73   14 1 70 81   15 0 26 27
15 1 86 93  16 0 0 8    16 1 65 70  17 0 6 23   17 1 100 100 18 0 76 79  18 1 96 95   19 0 44 55   19 1 100 100
20 0 73 67  20 1 97 94  21 1 85 86  22 0 58 60  22 1 100 99  23 0 -2 -2  23 1 100 100 24 0 -3 -14  24 0 0 -11
25 0 47 -3  25 0 -94 -90 26 0 -16 17 26 0 75 85 27 0 5 -22   27 0 -1 -14 28 0 -6 -52  29 0 37 38   29 0 47 35
30 0 42 40  30 0 4 6    31 0 55 23  31 0 55 45  32 0 4 -87   32 0 -13 -65 33 0 49 24  33 0 35 9    34 0 53 66
35 0 2 -15  36 0 -48 -78
"""


def test_the_published_example_of_delong():
    """Areas, standard errors, differences and the joint test on two degrees of freedom, to the four digits printed."""
    table = np.array(OVARIAN.split(), dtype=float).reshape(-1, 4)
    albumin, protein, score, benefit = table.T
    found = delong(np.stack([albumin, protein, -score]), benefit.astype(int))
    np.testing.assert_allclose(found.auc, [0.7366, 0.6478, 0.7258], atol=5e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), [0.0927, 0.1000, 0.1028], atol=5e-5)
    np.testing.assert_allclose(found.difference(0, 2), [0.0108, 0.0953, 0.9102], atol=5e-5)
    np.testing.assert_allclose(found.difference(1, 2), [-0.0780, 0.1046, 0.4561], atol=5e-5)
    contrast = np.array([[1, 0, -1], [0, 1, -1]])
    gaps = contrast @ found.auc
    statistic = gaps @ np.linalg.solve(contrast @ found.covariance @ contrast.T, gaps)
    assert statistic == pytest.approx(2.5340, abs=5e-5)
    assert chi2.sf(statistic, 2) == pytest.approx(0.2817, abs=5e-5)


def test_the_published_example_of_obuchowski():
    """The estimate over cases, down to the structural components that the paper prints below its table."""
    patients, stenosed, *readings = np.array(ARTERIES.split(), dtype=int).reshape(-1, 4).T
    found = delong(np.stack(readings), stenosed, patients)
    assert (len(patients), len(set(patients)), stenosed.sum()) == (65, 36, 29)
    np.testing.assert_allclose(found.auc, [0.9837, 0.9852], atol=5e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), [0.0108, 0.0097], atol=5e-5)
    np.testing.assert_allclose(found.difference(1, 0), [0.0014, 0.0066, 0.8271], atol=5e-5)

    def variance(of_positives, of_negatives, across):
        return of_positives / 29 + of_negatives / 36 + across / (29 * 36)

    first = variance(0.0013151307, 0.0022375873, 2 * 0.0051785478)
    second = variance(0.0009284122, 0.0022598583, 2 * -0.0005015760)
    between = variance(0.0008484357, 0.0019241250, 0.0028648340 - 0.0015136931)
    np.testing.assert_allclose(found.covariance, [[first, between], [between, second]], atol=1e-11)
    # Counting arteries as independent does not give these.
    assert abs(np.sqrt(delong(readings[0], stenosed).covariance[0, 0]) - 0.0108) > 5e-5


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
