import numpy as np
import pytest

from breastcls.datasets.synthetic.arguments import frame_size, known_magnifications, whole_number, worker_count
from breastcls.errors import DatasetError


def test_whole_numbers_of_any_kind_are_taken():
    assert whole_number("patients", np.int32(3), 1, 5) == 3
    assert whole_number("seed", 10**12, 0, None) == 10**12


@pytest.mark.parametrize("value", [True, 2.0, "2", None])
def test_other_things_are_named(value):
    with pytest.raises(DatasetError, match=r"patients is .*: give a whole number, 1 to 5"):
        whole_number("patients", value, 1, 5)


@pytest.mark.parametrize("value", [0, 6])
def test_the_range_is_told(value):
    with pytest.raises(DatasetError, match=f"patients is {value}: give 1 to 5"):
        whole_number("patients", value, 1, 5)


def test_a_size_is_height_and_width():
    assert frame_size([46, 70]) == (46, 70)
    for wrong in (224, (224,), "46x70"):
        with pytest.raises(DatasetError, match="image_size"):
            frame_size(wrong)
    with pytest.raises(DatasetError, match="width in image_size is 31"):
        frame_size((46, 31))


def test_magnifications_come_in_order_and_once():
    assert known_magnifications([400, 40, 40]) == (40, 400)
    assert known_magnifications(np.array([200])) == (200,)
    with pytest.raises(DatasetError, match=r"give a list, for example \[40\]"):
        known_magnifications(40)
    for wrong in ([], [50], ["40"], [True], None):
        with pytest.raises(DatasetError, match="give some of 40, 100, 200, 400"):
            known_magnifications(wrong)


def test_threads():
    assert 1 <= worker_count(None) <= 8
    assert worker_count(3) == 3
    with pytest.raises(DatasetError, match="threads is 0"):
        worker_count(0)
