"""The batches of a training phase: images from the pipeline, each epoch a pure function of its number."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol

import keras

from breastcls.datasets.dataset import Dataset
from breastcls.images.pipeline import EpochCounter


class BatchSource(Protocol):
    """Yields the batches of any epoch, from any step on, the same ones on every call."""

    @property
    def steps(self) -> int:
        """Batches per epoch."""

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[Any, Any]]:
        """Yield (inputs, labels) of an epoch, beginning with batch `first`.

        Labels are class indices int64 (b,), or shares of the classes float32 (b, classes).
        """


class ImageBatches:
    """Images, shuffled and augmented by the pipeline.

    Args:
        data: The images.
        **options: As in `Dataset.to_tf`.
    """

    def __init__(self, data: Dataset, **options: Any) -> None:
        self._epoch = EpochCounter()
        self._pipeline = data.to_tf(initial_epoch=self._epoch, class_count=len(data.classes), **options)

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return len(self._pipeline)

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[Any, Any]]:
        """Yield (images uint8 (b, height, width, 3), labels) of an epoch, beginning with batch `first`.

        Earlier batches are computed and dropped: random draws depend on the number of the batch, and this happens once,
        when a run is resumed.
        """
        self._epoch.value = epoch
        # The pipeline yields tensors of TensorFlow, which Keras on another backend does not accept.
        whole = self._pipeline if keras.backend.backend() == "tensorflow" else self._pipeline.as_numpy_iterator()
        return islice(iter(whole), first, None)
