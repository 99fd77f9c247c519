import numpy as np
import pytest

from breastcls.intervals import weighted_counts
from breastcls.intervals.weighted_counts import WeightedCounts, are_many_of_one_row


@pytest.mark.parametrize("many", [3, 20_000])
def test_weights_are_added_up_by_group(monkeypatch, many):
    """Each case has one row, in another order than the cases."""
    monkeypatch.setattr(weighted_counts, "MANY_CASES", many)
    groups, codes = np.array([2, 0, 0, 2, 1]), np.array([3, 0, 4, 1, 2])
    assert are_many_of_one_row(codes, 5) == (many == 3)
    weights = np.array([[1.0, 2, 3, 4, 5], [0, 1, 0, 0, 0]])
    found = WeightedCounts(groups, codes, 4, 5).weigh(weights)
    assert found.tolist() == [[6, 3, 6, 0], [0, 0, 1, 0]]


def test_cases_of_several_rows_are_not_counted_by_row(monkeypatch):
    monkeypatch.setattr(weighted_counts, "MANY_CASES", 1)
    assert not are_many_of_one_row(np.array([0, 0, 1, 2]), 3)
    counts = WeightedCounts(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 2]), 2, 3)
    assert counts.weigh(np.array([[2.0, 1, 1]])).tolist() == [[2, 4]]
