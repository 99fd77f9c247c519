import numpy as np
import pytest
from scipy import stats

from breastcls.errors import ExplanationError
from breastcls.explanation.checks.case_means import check_cases, mean_over_cases
from breastcls.intervals.bootstrap import Bootstrap

BOOTSTRAP = Bootstrap(resamples=400)


def test_images_of_one_case_are_resampled_together():
    """Eight images: the interval is far wider where they are of four cases than where each is a case of its own."""
    values = np.repeat([[0.0], [1.0], [2.0], [5.0]], 2, axis=0)
    widths = []
    for cases in (None, ["a", "a", "b", "b", "c", "c", "d", "d"]):
        mean, bounds = mean_over_cases(values, check_cases(cases, 8), BOOTSTRAP)
        assert mean[0] == pytest.approx(2.0)
        widths.append(bounds.high[0] - bounds.low[0])
    assert widths[1] > 1.3 * widths[0]


def test_images_without_a_value_do_not_count():
    values = np.array([[1.0, np.nan], [3.0, 4.0], [np.nan, np.nan], [5.0, np.nan]])
    mean, bounds = mean_over_cases(values, np.arange(4), BOOTSTRAP)
    np.testing.assert_allclose(mean, [3.0, 4.0])
    assert np.isfinite(bounds.low[0])
    # One case is too few for an interval.
    assert np.isnan(bounds.low[1])


@pytest.mark.parametrize("cases", [3, 4])
def test_intervals_of_few_cases_are_no_narrower_than_those_of_student(cases):
    values = np.array([[0.1, 0.5], [0.2, 0.5], [0.9, 0.5], [0.3, 0.5]])[:cases]
    _, bounds = mean_over_cases(values, np.arange(cases), BOOTSTRAP)
    expected = stats.t.interval(0.95, cases - 1, values[:, 0].mean(), stats.sem(values[:, 0]))
    np.testing.assert_allclose([bounds.low[0], bounds.high[0]], expected)
    # Equal values have no interval, also where there are few.
    assert bounds.reason.tolist() == ["", "no-variation"]


def test_the_interval_of_few_cases_ends_at_the_limits_of_the_values():
    values = np.array([[0.99], [0.2], [0.98]])
    _, bounds = mean_over_cases(values, np.arange(3), BOOTSTRAP, np.zeros(1), np.ones(1))
    _, free = mean_over_cases(values, np.arange(3), BOOTSTRAP)
    assert (bounds.low[0], bounds.high[0]) == (0.0, 1.0)
    assert free.low[0] < 0.0
    assert free.high[0] > 1.0


def test_another_number_of_cases_is_refused():
    with pytest.raises(ExplanationError, match="cases has 2 names for 3 images"):
        check_cases(["a", "b"], 3)
