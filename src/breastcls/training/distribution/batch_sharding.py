"""Sharding each batch over workers and devices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from breastcls.images.epoch_order import BatchPart
from breastcls.training.batch_sources import BatchSource


@dataclass(frozen=True)
class BatchShard:
    """The labels of one worker's part of a batch.

    Args:
        labels: Class indices int64 (b,), or shares of the classes float32 (b, classes).
        own: How many of them count; the rest repeats others, so that each device has the same number.
        total: Number of images of the whole batch, over all workers.
    """

    labels: Any
    own: int
    total: int


class ShardedBatches:
    """One worker's part of the batches of a source.

    Args:
        source: Yields whole batches, or the part already.
        part: Which part.
        images: Images per epoch.
        batch_size: Images per batch, over all workers.
        whole: Whether the source yields whole batches.
    """

    def __init__(self, source: BatchSource, part: BatchPart, images: int, batch_size: int, *, whole: bool) -> None:
        self._source, self._part, self._whole = source, part, whole
        self._images, self._batch_size = images, batch_size

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return self._source.steps

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[Any, BatchShard]]:
        """Yield (inputs, shard) of an epoch, beginning with batch `first`."""
        for number, (inputs, labels) in enumerate(self._source.batches(epoch, first), first):
            total = min(self._batch_size, self._images - number * self._batch_size)
            if self._whole:
                places = self._part.places(total)
                if len(places) != total or places[0] != 0:
                    inputs, labels = np.asarray(inputs)[places], np.asarray(labels)[places]
            yield inputs, BatchShard(labels, self._part.own(total), total)
