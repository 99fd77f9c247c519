"""What workers agree on, with threads in the place of machines."""

from dataclasses import dataclass
from threading import Barrier, Thread

import numpy as np
import pytest

from breastcls.errors import TrainingError
from breastcls.training.distribution.worker_group import WorkerGroup


class Wire:
    """Adds up what all threads bring."""

    def __init__(self, size):
        self.barrier, self.brought = Barrier(size, timeout=20), [None] * size

    def exchange(self, index, arrays):
        self.brought[index] = arrays
        self.barrier.wait()
        summed = [np.sum(parts, axis=0) for parts in zip(*self.brought, strict=True)]
        self.barrier.wait()
        return summed


@dataclass(frozen=True)
class WiredTeam(WorkerGroup):
    wire: Wire = None

    def _exchange(self, arrays):
        return self.wire.exchange(self.index, arrays)


def together(act, size=3):
    """Run `act(workers)` for each worker; return what each gave or raised."""
    wire, found = Wire(size), [None] * size

    def run(index):
        try:
            found[index] = act(WiredTeam(index=index, size=size, wire=wire))
        except Exception as error:
            found[index] = error

    threads = [Thread(target=run, args=(index,)) for index in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_alone_everything_is_its_own():
    workers = WorkerGroup()
    assert workers.chief
    assert workers.gather([1.0, 2.0]).tolist() == [[1.0, 2.0]]
    assert workers.from_chief({"a": 0.1}) == {"a": 0.1}
    workers.check_same("x", 1)
    with pytest.raises(KeyError), workers.in_turn():
        raise KeyError


def test_all_workers_gather_the_values_of_each():
    assert all(
        (found == [[0.0], [1.0], [2.0]]).all() for found in together(lambda workers: workers.gather([workers.index]))
    )


def test_all_workers_use_the_values_of_the_chief():
    assert together(lambda workers: workers.from_chief({"score": 0.1 + workers.index})) == [{"score": 0.1}] * 3
    found = together(
        lambda workers: workers.arrays_from_chief([np.full(2, workers.index + 5.0), np.array(workers.index + 1)])
    )
    assert all(one.tolist() == [5.0, 5.0] and other == 1 for one, other in found)


def test_a_difference_is_named():
    assert together(lambda workers: workers.check_same("settings", {"epochs": 3})) == [None] * 3
    found = together(lambda workers: workers.check_same("settings", {"epochs": 3 + workers.index // 2}))
    assert all("differ in settings: worker(s) [2]" in str(error) for error in found)


def test_the_chief_goes_first():
    seen = []

    def act(workers):
        with workers.in_turn():
            seen.append(workers.chief)

    assert together(act) == [None] * 3
    assert seen == [True, False, False]


@pytest.mark.parametrize("failing", [0, 2])
def test_an_error_of_one_is_an_error_of_all(failing):
    entered = []

    def act(workers):
        with workers.in_turn():
            entered.append(workers.index)
            if workers.index == failing:
                raise OSError("disk full")

    found = together(act)
    assert isinstance(found[failing], OSError)
    for index in {0, 1, 2} - {failing}:
        assert isinstance(found[index], TrainingError)
        assert f"[{failing}] could not begin" in str(found[index])
    assert sorted(entered) == ([0] if failing == 0 else [0, 1, 2])
