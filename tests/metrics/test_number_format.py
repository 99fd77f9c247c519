import numpy as np
import pandas as pd
import pytest

from breastcls.metrics.number_format import format_interval, format_number


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, pd.NA, "0.5"])
def test_what_is_no_finite_number_is_not_defined(value):
    assert format_number(value) == "not defined"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.8295, "0.830"), (-0.25, "−0.250"), (-0.0001, "0.000"), (1, "1.000"), (np.float32(0.5), "0.500")],
)
def test_numbers_have_fixed_decimals_and_a_true_minus(value, text):
    assert format_number(value) == text


def test_an_interval_needs_both_ends():
    assert format_interval(0.1, 0.2, 2) == "0.10 to 0.20"
    assert format_interval(0.1, float("nan")) == "not estimable"
