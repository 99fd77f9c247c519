"""Batches of features for training a head: each epoch has its own order and one version of each image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from breastcls.features.frozen_inference import Features
from breastcls.images.epoch_order import EpochOrder, Rows


class FeatureBatches:
    """Features in the order in which the pipeline would yield the images, one version of each.

    A batch is a pure function of the seed of the order, the epoch and the number of the batch, so that a resumed
    training has the same batches.

    Args:
        features: float32 of shape (versions, n, ...).
        labels: Class indices, int64 of shape (n,).
        order: The order of the epochs, of n images.

    Raises:
        ValueError: If the numbers of features, labels and images of the order differ.

    Example:
        >>> features = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
        >>> batches = FeatureBatches(features, np.array([0, 1, 1]), EpochOrder(3, 2, shuffle=True, seed=7))
        >>> batches.steps, [len(labels) for _, labels in batches.batches(epoch=0)]
        (2, [2, 1])
    """

    def __init__(self, features: Features, labels: npt.NDArray[np.int64], order: EpochOrder) -> None:
        if features.ndim < 2 or features.shape[1] != len(labels) or order.count != len(labels):
            raise ValueError(
                f"features have the shape {features.shape}, expected (versions, n, ...) with n the number of labels, "
                f"{len(labels)}, and of images in the order, {order.count}."
            )
        self._features, self._labels, self._order = features, labels, order

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return self._order.batches

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[Features, npt.NDArray[np.int64]]]:
        """Yield (features (b, ...), labels (b,)) of an epoch, beginning with batch `first`."""
        rows = self._order.rows(epoch)
        versions = draw_versions(len(self._features), self._order.count, rows, self._order.seed, epoch)
        for number in range(first, self._order.batches):
            batch = self._order.batch(rows, number)
            yield self._features[self._order.batch(versions, number), batch], self._labels[batch]


def draw_versions(versions: int, count: int, rows: Rows, seed: int, epoch: int) -> Rows:
    """Return which version is used at each position of an epoch, int64 of the shape of `rows`.

    In every `versions` epochs each version of an image is used once, in an order that is drawn for each image, and anew
    for the next `versions` epochs. If an image occurs several times in one epoch, as with balanced sampling, the
    versions that follow are used.

    Args:
        versions: Number of versions of each image.
        count: Number of images.
        rows: Which images the epoch visits, in order.
        seed: The seed of all draws.
        epoch: Number of the epoch, from 0.

    Example:
        >>> shown = [draw_versions(4, 5, np.arange(5), seed=7, epoch=epoch) for epoch in range(4)]
        >>> np.sort(shown, axis=0)[:, 2].tolist()
        [0, 1, 2, 3]
    """
    if versions == 1:
        return np.zeros(len(rows), np.int64)
    generator = np.random.default_rng([seed, epoch // versions, versions])
    turns = generator.permuted(np.tile(np.arange(versions), (count, 1)), axis=1)
    return turns[rows, (epoch % versions + _times_before(rows)) % versions]


def _times_before(rows: Rows) -> Rows:
    """Return how often each image occurred earlier in the epoch."""
    by_image = np.argsort(rows, kind="stable")
    grouped = rows[by_image]
    starts = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]]) if len(rows) else np.empty(0, np.int64)
    times = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
    out = np.empty(len(rows), np.int64)
    out[by_image] = times
    return out
