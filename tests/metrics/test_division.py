import numpy as np
import pytest

from breastcls.metrics.division import divide


@pytest.mark.parametrize("undefined", [np.nan, 0.0])
def test_the_quotient_is_undefined_where_the_denominator_is_not_positive(undefined):
    found = divide([[1, 2, 3], [4, 5, 6]], [[2], [0]], undefined)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[0.5, 1.0, 1.5], [undefined] * 3])


def test_single_numbers_are_divided_too():
    assert float(divide(1, 4)) == 0.25
    assert np.isnan(divide(1, 0))
