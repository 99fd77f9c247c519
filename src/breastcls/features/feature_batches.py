"""Batches of features for the head: each epoch an order of its own, and for each image one of its views."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from breastcls.features.frozen_inference import Features
from breastcls.images.epoch_order import EpochOrder, Rows


class FeatureBatches:
    """Features in the order in which the pipeline would have given the images, each as one of its views.

    Everything is a pure function of the seed of the order, the epoch and the number of the batch, so that training goes
    on after a stop as if there had been none.

    Args:
        features: float32 of shape (views, n, ...).
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
                f"features have the shape {features.shape}, expected (views, n, ...) with n the number of labels, "
                f"{len(labels)}, and of images in the order, {order.count}."
            )
        self._features, self._labels, self._order = features, labels, order

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return self._order.batches

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[Features, npt.NDArray[np.int64]]]:
        """Yield (features (b, ...), labels (b,)) of an epoch, beginning with batch `first`."""
        rows = self._order.rows(epoch)
        views = draw_views(len(self._features), self._order.count, rows, self._order.seed, epoch)
        for number in range(first, self._order.batches):
            batch = self._order.batch(rows, number)
            yield self._features[self._order.batch(views, number), batch], self._labels[batch]


def draw_views(views: int, count: int, rows: Rows, seed: int, epoch: int) -> Rows:
    """Return which view is shown at each place of an epoch, int64 of the shape of `rows`.

    In every `views` epochs an image shows each of its views once, in an order of its own that is drawn anew for the
    next so many epochs. An image that comes several times in one epoch, as balanced sampling has it, shows the views
    that follow.

    Args:
        views: Number of views of each image.
        count: Number of images.
        rows: Which images the epoch visits, in order.
        seed: From which all draws follow.
        epoch: Number of the epoch, from 0.

    Example:
        >>> shown = [draw_views(4, 5, np.arange(5), seed=7, epoch=epoch) for epoch in range(4)]
        >>> np.sort(shown, axis=0)[:, 2].tolist()
        [0, 1, 2, 3]
    """
    if views == 1:
        return np.zeros(len(rows), np.int64)
    generator = np.random.default_rng([seed, epoch // views, views])
    turns = generator.permuted(np.tile(np.arange(views), (count, 1)), axis=1)
    return turns[rows, (epoch % views + _times_before(rows)) % views]


def _times_before(rows: Rows) -> Rows:
    """Return how often each image came earlier in the epoch."""
    by_image = np.argsort(rows, kind="stable")
    grouped = rows[by_image]
    starts = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]]) if len(rows) else np.empty(0, np.int64)
    times = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
    out = np.empty(len(rows), np.int64)
    out[by_image] = times
    return out
