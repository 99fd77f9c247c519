"""The order of an epoch: a reproducible permutation, balanced sampling, shards without overlap."""

import numpy as np
import pytest

from breastcls.images.epoch_order import BatchPart, EpochOrder, sampling_groups


def test_without_shuffling_it_is_the_given_order():
    order = EpochOrder(7, 3)
    np.testing.assert_array_equal(order.rows(5), np.arange(7))
    assert [order.batch(order.rows(0), number).tolist() for number in range(order.batches)] == [
        [0, 1, 2],
        [3, 4, 5],
        [6],
    ]


def test_every_epoch_is_another_permutation_and_always_the_same_one():
    order = EpochOrder(50, 8, shuffle=True, seed=4)
    epochs = [order.rows(epoch) for epoch in range(5)]
    for rows in epochs:
        np.testing.assert_array_equal(np.sort(rows), np.arange(50))
    assert len({rows.tobytes() for rows in epochs}) == 5
    np.testing.assert_array_equal(EpochOrder(50, 8, shuffle=True, seed=4).rows(3), epochs[3])
    assert (EpochOrder(50, 8, shuffle=True, seed=5).rows(3) != epochs[3]).any()


def test_the_batch_size_does_not_change_the_order():
    np.testing.assert_array_equal(EpochOrder(50, 8, True, 4).rows(2), EpochOrder(50, 16, True, 4).rows(2))


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("count", [1, 23, 24, 25, 100])
def test_shards_share_the_epoch_out(count, drop):
    shards = [EpochOrder(count, 4, True, 1, shard=(index, 3), drop_remainder=drop) for index in range(3)]
    rows = [shard.rows(2) for shard in shards]
    together = np.concatenate(rows)
    assert len(set(together.tolist())) == len(together)
    assert [len(part) for part in rows] == [shard.length for shard in shards]
    if drop:
        assert len({shard.batches for shard in shards}) == 1
        assert all(len(part) % 4 == 0 for part in rows)
    else:
        assert len(together) == count


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 12])
@pytest.mark.parametrize(("workers", "devices"), [(1, 1), (1, 3), (2, 1), (2, 2), (4, 2)])
def test_parts_make_up_a_batch_and_are_of_one_size(count, workers, devices):
    parts = [BatchPart(worker, workers, devices) for worker in range(workers)]
    places = [part.places(count) for part in parts]
    assert len({len(found) for found in places}) == 1
    assert len(places[0]) % devices == 0
    # No more are repeated than it takes to divide evenly.
    assert len(np.concatenate(places)) - count < workers * devices
    own = [found[: part.own(count)] for found, part in zip(places, parts, strict=True)]
    assert np.concatenate(own).tolist() == list(range(count))
    assert all(0 <= place < count for found in places for place in found)


def test_a_part_that_cannot_be_is_refused():
    for wrong in ((2, 2, 1), (-1, 2, 1), (0, 1, 0)):
        with pytest.raises(ValueError, match="expected 0 <= worker < workers"):
            BatchPart(*wrong)


def test_class_balance():
    labels = np.r_[np.zeros(90), np.ones(10)]
    groups = sampling_groups("class-balanced", labels, None, 100)
    order = EpochOrder(100, 10, seed=2, groups=groups)
    rows = order.rows(0)
    assert np.bincount(labels[rows].astype(int)).tolist() == [50, 50]
    # Ten images, fifty draws: each exactly five times, none by luck more often.
    assert (np.bincount(rows, minlength=100)[90:] == 5).all()
    assert np.bincount(rows, minlength=100)[:90].max() == 1
    assert (order.rows(0) != order.rows(1)).any()


def test_case_balance_with_a_remainder_moves_between_cases():
    cases = ["a"] * 5 + ["b"] * 3 + ["c"] * 2
    groups = sampling_groups("case-balanced", np.zeros(10), cases, 10)
    order = EpochOrder(10, 4, groups=groups)
    counts = [np.bincount(groups[order.rows(epoch)]) for epoch in range(30)]
    assert all(sorted(count.tolist()) == [3, 3, 4] for count in counts)
    assert {int(count.argmax()) for count in counts} == {0, 1, 2}


def test_more_cases_than_images_drawn_is_no_trouble():
    groups = sampling_groups("case-balanced", np.zeros(4), list("abcd"), 4)
    np.testing.assert_array_equal(np.sort(EpochOrder(4, 2, groups=groups).rows(0)), np.arange(4))


@pytest.mark.parametrize(
    "options", [{"batch_size": 0}, {"batch_size": 1, "shard": (2, 2)}, {"batch_size": 1, "seed": -1}]
)
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="expected"):
        EpochOrder(5, **options)


def test_wrong_sampling():
    with pytest.raises(ValueError, match="class-balanced"):
        sampling_groups("balanced", [0, 1], None, 2)
    with pytest.raises(ValueError, match="one value per image"):
        sampling_groups("case-balanced", [0, 1], None, 2)
