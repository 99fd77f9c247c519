import math

import numpy as np
import pytest

from breastcls.errors import TrainingError
from breastcls.training.option_checks import check_choice, check_count, check_number, is_count


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 0, -1])
def test_what_is_no_count(value):
    assert not is_count(value)
    with pytest.raises(TrainingError, match=r"epochs must be a whole number of at least 1; found"):
        check_count("epochs", value)


def test_counts_of_numpy_zero_and_none_where_they_are_allowed():
    check_count("epochs", np.int64(1))
    check_count("seed", 0, 0)
    check_count("patience", None, optional=True)


@pytest.mark.parametrize("value", [True, "1", None, math.nan, math.inf, 0, 1.5])
def test_a_number_outside_its_bounds(value):
    with pytest.raises(TrainingError, match="layer_decay must be a share; found"):
        check_number("layer_decay", value, "a share", above=0, most=1)


def test_a_number_within_its_bounds():
    check_number("layer_decay", np.float32(1), "a share", above=0, most=1)
    check_number("warmup", 0, "at least 0", least=0)


def test_a_choice():
    check_choice("sampling", None, (None, "class-balanced"))
    for wrong in ("classes", 3, ["class-balanced"]):
        with pytest.raises(TrainingError, match="expected one of None, 'class-balanced'"):
            check_choice("sampling", wrong, (None, "class-balanced"))
