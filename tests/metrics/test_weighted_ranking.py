import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from breastcls.metrics import weighted_ranking as ranking
from breastcls.metrics.weighted_ranking import Ranking


def draw_ranking(seed, decimals):
    generator = np.random.default_rng(seed)
    positive = generator.random(200) < 0.3
    scores = (generator.normal(size=200) + positive).round(decimals).astype(np.float32)
    codes = generator.integers(0, 15, 200)
    return scores, positive, codes, generator.integers(0, 4, size=(40, 15)).astype(float)


@pytest.mark.parametrize("decimals", [0, 1, 6])
@pytest.mark.parametrize("seed", range(3))
def test_weights_equal_repeated_rows(seed, decimals):
    scores, positive, codes, weights = draw_ranking(seed, decimals)
    auc, precision = Ranking(scores, positive, codes, 15).score(weights)
    for row, found_auc, found_precision in zip(weights, auc, precision, strict=True):
        repeated = np.repeat(np.arange(200), row[codes].astype(int))
        assert found_auc == pytest.approx(roc_auc_score(positive[repeated], scores[repeated]), abs=1e-12)
        expected = average_precision_score(positive[repeated], scores[repeated])
        assert found_precision == pytest.approx(expected, abs=1e-12)


def test_blocks_change_nothing(monkeypatch):
    scores, positive, codes, weights = draw_ranking(5, 2)
    whole = Ranking(scores, positive, codes, 15).score(weights)
    monkeypatch.setattr(ranking, "BLOCK", 200)
    parts = Ranking(scores, positive, codes, 15).score(weights)
    np.testing.assert_array_equal(whole, parts)


def test_one_class_in_a_resample_is_undefined():
    scores, codes = np.array([0.1, 0.2, 0.3]), np.array([0, 1, 1])
    one = Ranking(scores, np.array([False, True, True]), codes, 2)
    auc, precision = one.score(np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]))
    assert auc[0] == precision[0] == 1.0
    assert np.isnan([*auc[1:], *precision[1:]]).all()
    none = Ranking(scores, np.zeros(3, bool), codes, 2)
    assert np.isnan(none.score(np.ones((2, 2)))).all()
