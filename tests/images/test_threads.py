import threading

import pytest

from breastcls.errors import ImageError
from breastcls.images.threads import run_in_threads


@pytest.mark.parametrize("workers", [1, 3, None])
def test_threads_process_every_item_once(workers):
    done = []
    lock = threading.Lock()

    def work(number):
        with lock:
            done.append(number)

    run_in_threads(work, 100, workers)
    assert sorted(done) == list(range(100))
    run_in_threads(work, 0, workers)


@pytest.mark.parametrize("workers", [1, 4])
def test_an_error_in_a_thread_is_raised_and_stops_the_rest(workers):
    done = []

    def work(number):
        done.append(number)
        if number == 3:
            raise ImageError("number three")

    with pytest.raises(ImageError, match="number three"):
        run_in_threads(work, 10_000, workers)
    assert len(done) < 10_000
