"""Perturbed images that are prepared while the model runs."""

import threading

import pytest

from breastcls.explanation.methods.batches_ahead import prepare_ahead


def test_only_one_batch_is_computed_ahead_and_in_another_thread():
    computed, threads = [], set()

    def batches():
        for number in range(5):
            computed.append(number)
            threads.add(threading.current_thread())
            yield number

    for number in prepare_ahead(batches()):
        assert len(computed) <= number + 2
    assert computed == list(range(5))
    assert threading.current_thread() not in threads


def test_an_error_in_a_batch_reaches_the_caller_after_the_batches_before_it():
    def batches():
        yield 1
        raise ValueError("no second batch")

    ahead = prepare_ahead(batches())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="no second batch"):
        next(ahead)


def test_the_thread_ends_where_the_caller_stops_early():
    used = set()

    def batches():
        for number in range(100):
            used.add(threading.current_thread())
            yield number

    ahead = prepare_ahead(batches())
    next(ahead)
    ahead.close()
    assert not any(thread.is_alive() for thread in used)
