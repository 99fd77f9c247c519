import math

import numpy as np
import pytest

from breastcls.argument_checks import check_choice, check_count, check_number, is_count
from breastcls.errors import TrainingError


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 0, -1])
def test_what_is_no_count(value):
    assert not is_count(value)
    with pytest.raises(TrainingError, match=r"epochs is .*; expected a whole number of at least 1\."):
        check_count("epochs", value, error=TrainingError)


def test_counts_of_numpy_zero_and_none_where_they_are_allowed():
    check_count("epochs", np.int64(1), error=TrainingError)
    check_count("seed", 0, 0, error=TrainingError)
    check_count("patience", None, optional=True, error=TrainingError)
    with pytest.raises(TrainingError, match=r"patience is 0; expected a whole number of at least 1, or None\."):
        check_count("patience", 0, optional=True, error=TrainingError)


def test_a_count_with_an_upper_bound():
    check_count("patients", 5, most=5, error=ValueError)
    with pytest.raises(ValueError, match=r"patients is 6; expected a whole number from 1 to 5\."):
        check_count("patients", 6, most=5, error=ValueError)


@pytest.mark.parametrize("value", [True, "1", None, math.nan, math.inf, 0, 1.5])
def test_a_number_outside_its_bounds(value):
    with pytest.raises(TrainingError, match=r"layer_decay is .*; expected a share"):
        check_number("layer_decay", value, "a share", above=0, most=1, error=TrainingError)


def test_a_number_within_its_bounds():
    check_number("layer_decay", np.float32(1), "a share", above=0, most=1, error=TrainingError)
    check_number("warmup", 0, "at least 0", least=0, error=TrainingError)


def test_a_choice():
    check_choice("sampling", None, (None, "class-balanced"), error=TrainingError)
    for wrong in ("classes", 3, ["class-balanced"], np.array(["class-balanced"])):
        with pytest.raises(TrainingError, match=r"sampling is .*expected one of None, 'class-balanced'"):
            check_choice("sampling", wrong, (None, "class-balanced"), error=TrainingError)
