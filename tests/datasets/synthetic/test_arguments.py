import numpy as np
import pytest

from breastcls.datasets.synthetic.arguments import (
    as_count,
    check_frame_size,
    check_magnifications,
    check_threads,
)
from breastcls.errors import DatasetError


def test_python_and_numpy_integers_are_accepted():
    assert as_count("patients", np.int32(3), 1, 5) == 3
    assert as_count("seed", 10**12, 0) == 10**12


@pytest.mark.parametrize("value", [True, 2.0, "2", None])
def test_other_types_are_refused(value):
    with pytest.raises(DatasetError, match=r"patients is .*; expected a whole number from 1 to 5"):
        as_count("patients", value, 1, 5)


@pytest.mark.parametrize("value", [0, 6])
def test_the_error_states_the_range(value):
    with pytest.raises(DatasetError, match=f"patients is {value}; expected a whole number from 1 to 5"):
        as_count("patients", value, 1, 5)


def test_a_size_is_height_and_width():
    assert check_frame_size([46, 70]) == (46, 70)
    for wrong in (224, (224,), "46x70"):
        with pytest.raises(DatasetError, match="image_size"):
            check_frame_size(wrong)
    with pytest.raises(DatasetError, match="width in image_size is 31"):
        check_frame_size((46, 31))


def test_magnifications_are_sorted_and_distinct():
    assert check_magnifications([400, 40, 40]) == (40, 400)
    assert check_magnifications(np.array([200])) == (200,)
    with pytest.raises(DatasetError, match=r"give a list, for example \[40\]"):
        check_magnifications(40)
    for wrong in ([], [50], ["40"], [True], None):
        with pytest.raises(DatasetError, match="give some of 40, 100, 200, 400"):
            check_magnifications(wrong)


def test_threads():
    assert 1 <= check_threads(None) <= 8
    assert check_threads(3) == 3
    with pytest.raises(DatasetError, match="threads is 0"):
        check_threads(0)
