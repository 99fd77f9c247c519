import numpy as np
import pytest
from scipy.stats import binomtest

from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluate import evaluate
from breastcls.evaluation.proportions import has_one_decision_a_case, wilson_interval


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
    assert not has_one_decision_a_case(some)
    found = evaluate(some, level="case", resamples=50)
    right = int(np.trace(found.confusion.to_numpy()))
    expected = binomtest(right, 24).proportion_ci(method="wilson")
    np.testing.assert_allclose(found.metrics.loc["accuracy", ["low", "high"]].astype(float), expected)
    (_, _), (missed, hit) = found.confusion.to_numpy()
    expected = binomtest(int(hit), int(hit + missed)).proportion_ci(method="wilson")
    np.testing.assert_allclose(found.metrics.loc["recall", ["low", "high"]].astype(float), expected)
