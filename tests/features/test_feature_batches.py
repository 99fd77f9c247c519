"""Batches of features: the order of the pipeline, every version in its turn, and nothing but seed, epoch and number."""

import numpy as np
import pytest

from breastcls.features.feature_batches import FeatureBatches, draw_versions
from breastcls.images.epoch_order import EpochOrder


def numbered(versions, count):
    """Features that say which version of which image they are."""
    return np.stack(np.broadcast_arrays(np.arange(versions)[:, None], np.arange(count)), axis=-1).astype(np.float32)


def collect(batches, epoch, first=0):
    parts = list(batches.batches(epoch, first))
    return np.concatenate([features for features, _ in parts]), np.concatenate([labels for _, labels in parts])


def test_they_come_in_the_order_of_the_pipeline(parts):
    train = parts[0]
    order = EpochOrder(len(train), 8, shuffle=True, seed=5)
    batches = FeatureBatches(np.arange(len(train), dtype=np.float32)[None, :, None], train.labels, order)
    images = train.to_tf((32, 32), batch_size=8, shuffle=True, seed=5, initial_epoch=2, with_rows=True)
    for epoch in (2, 3):
        wanted = [(batch[-1].numpy().tolist(), batch[1].numpy().tolist()) for batch in images]
        found = [(features[:, 0].tolist(), labels.tolist()) for features, labels in batches.batches(epoch)]
        assert found == wanted
        assert len(found) == batches.steps


def test_every_view_is_shown_once_in_so_many_epochs():
    batches = FeatureBatches(numbered(4, 30), np.arange(30) % 2, EpochOrder(30, 7, shuffle=True, seed=1))
    for block in (0, 4, 8):
        shown = np.zeros((4, 30), int)
        for epoch in range(block, block + 4):
            features, labels = collect(batches, epoch)
            versions, images = features.astype(int).T
            assert np.array_equal(np.sort(images), np.arange(30))
            assert np.array_equal(labels, images % 2)
            shown[versions, images] += 1
        assert (shown == 1).all()


def test_images_show_views_independently_of_one_another():
    rows = np.arange(4000)
    shown = np.stack([draw_versions(4, 4000, rows, seed=3, epoch=epoch) for epoch in range(8)])
    assert np.abs(np.stack([(shown == version).mean(axis=1) for version in range(4)]) - 0.25).max() < 0.03
    # What comes first in a block says nothing of what comes first in the next.
    joint = np.histogram2d(shown[0], shown[4], bins=4)[0] / 4000
    assert np.abs(joint - 1 / 16).max() < 0.02


def test_an_image_drawn_twice_in_an_epoch_has_another_version():
    order = EpochOrder(12, 5, seed=2, groups=np.array([0] * 10 + [1] * 2))
    batches = FeatureBatches(numbered(3, 12), np.zeros(12, int), order)
    for epoch in range(6):
        versions, images = collect(batches, epoch)[0].astype(int).T
        for image in (10, 11):
            own = versions[images == image]
            assert len(own) == 3
            assert sorted(own) == [0, 1, 2]


def test_going_on_in_the_middle_gives_what_would_have_come():
    order = EpochOrder(23, 4, shuffle=True, seed=9)
    batches, again = (FeatureBatches(numbered(4, 23), np.arange(23), order) for _ in range(2))
    whole = list(batches.batches(5))
    for first in range(len(whole) + 1):
        rest = list(again.batches(5, first))
        assert len(rest) == len(whole) - first
        for (features, labels), (expected, truth) in zip(rest, whole[first:], strict=True):
            assert np.array_equal(features, expected)
            assert np.array_equal(labels, truth)


def test_seed_and_epoch_decide():
    rows = np.arange(50)
    first = draw_versions(4, 50, rows, seed=1, epoch=0)
    assert np.array_equal(first, draw_versions(4, 50, rows, seed=1, epoch=0))
    assert not np.array_equal(first, draw_versions(4, 50, rows, seed=2, epoch=0))
    assert not np.array_equal(first, draw_versions(4, 50, rows, seed=1, epoch=4))


def test_one_view_is_shown_always():
    assert draw_versions(1, 5, np.arange(5), seed=1, epoch=3).tolist() == [0] * 5


def test_what_does_not_belong_together_is_refused():
    with pytest.raises(ValueError, match=r"expected \(versions, n, ...\) with n the number of labels, 4"):
        FeatureBatches(numbered(2, 3), np.zeros(4, int), EpochOrder(4, 2))
    with pytest.raises(ValueError, match="images in the order, 5"):
        FeatureBatches(numbered(2, 4), np.zeros(4, int), EpochOrder(5, 2))
