"""Dealing each batch out among the workers and devices that learn from it together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from breastcls.images.epoch_order import BatchPart
from breastcls.training.batch_sources import Source


@dataclass(frozen=True)
class Portion:
    """What one worker has of a batch, in the place of its labels.

    Args:
        labels: Class indices int64 (b,), or shares of the classes float32 (b, classes).
        own: How many of them count; those after repeat others, so that each device has as many.
        total: Images of the whole batch, over all workers.
    """

    labels: Any
    own: int
    total: int


class DealtSource:
    """The part that one worker has of the batches of a source.

    Args:
        source: Gives whole batches, or the part already.
        part: Which part.
        images: Images an epoch.
        batch_size: Images a batch, over all workers.
        whole: Whether the source gives whole batches.
    """

    def __init__(self, source: Source, part: BatchPart, images: int, batch_size: int, *, whole: bool) -> None:
        self._source, self._part, self._whole = source, part, whole
        self._images, self._batch_size = images, batch_size

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return self._source.steps

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[Any, Portion]]:
        """Yield (inputs, portion) of an epoch, beginning with batch `first`."""
        for number, (inputs, labels) in enumerate(self._source.batches(epoch, first), first):
            total = min(self._batch_size, self._images - number * self._batch_size)
            if self._whole:
                places = self._part.places(total)
                if len(places) != total or places[0] != 0:
                    inputs, labels = np.asarray(inputs)[places], np.asarray(labels)[places]
            yield inputs, Portion(labels, self._part.own(total), total)
