import itertools
import threading
import time

import pytest

from breastcls.errors import ImageError
from breastcls.images.ordered_reading import read_in_order


@pytest.mark.parametrize("workers", [1, 3])
def test_the_order_is_kept_and_errors_are_results(workers):
    def read(number):
        time.sleep(0.001 * (number % 3))
        if number == 7:
            raise ImageError("seven")
        return -number

    found = list(read_in_order(range(20), read, ahead=4, workers=workers))
    assert [item for item, _ in found] == list(range(20))
    assert str(found[7][1]) == "seven"
    assert [result for item, result in found if item != 7] == [-number for number in range(20) if number != 7]


def test_only_a_limited_number_is_taken_ahead():
    taken = itertools.count()
    for position, _ in enumerate(read_in_order(taken, str, ahead=8, workers=2)):
        if position == 50:
            break
    assert next(taken) < 50 + 8 + 3 * 4


def test_items_are_taken_in_the_thread_of_the_caller():
    threads = set()

    def items():
        for number in range(10):
            threads.add(threading.get_ident())
            yield number

    list(read_in_order(items(), str, ahead=4, workers=2))
    assert threads == {threading.get_ident()}


def test_other_errors_and_a_lack_of_descriptors_are_raised():
    def read(number):
        error = ImageError("too many files are open")
        error.errno = 24
        raise error if number else ValueError("a mistake")

    with pytest.raises(ImageError, match="too many"):
        list(read_in_order([1], read, ahead=4, workers=2))
    with pytest.raises(ValueError, match="a mistake"):
        list(read_in_order([0], read, ahead=4, workers=2))
