"""The batches of the pipeline as a `keras.utils.PyDataset`, for every backend of Keras."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.images.batch_augmentation import BatchAugmentation, check_augmentation
from breastcls.images.epoch_order import EpochOrder, Rows, sampling_groups
from breastcls.images.image_cache import open_images
from breastcls.images.image_source import Normalizer, ReadSettings
from breastcls.images.pipeline import EpochCounter, batch_key, check_length
from breastcls.images.resize import check_image_size


class ImageBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of images as NumPy arrays, identical to those of `make_pipeline`, for TensorFlow, JAX and PyTorch.

    `len` is the number of batches per epoch, `batches[i]` is batch i of the current epoch, and `on_epoch_end` starts
    the next epoch.

    Args:
        paths: Image files.
        labels: Class indices, one per image.
        image_size: (height, width) of the images in pixels, or one number for a square.
        batch_size: Images per batch; the last batch may have fewer.
        resize: `"stretch"`, `"crop"` or `"pad"`.
        shuffle: Whether to shuffle the images in every epoch.
        augment: An augmentation policy or None. It is computed with TensorFlow, independent of the backend.
        seed: Seed of the order and the augmentation of all epochs.
        initial_epoch: The number of the first epoch, or a counter.
        sampling: None, `"class-balanced"` or `"case-balanced"`.
        cases: The case of each image, required for `"case-balanced"`.
        shard: (index, number) of this worker.
        drop_remainder: Whether to drop the last batch if it is incomplete.
        weights: Sample weights, one per image, returned as a third element.
        class_count: Number of classes, required for policies that mix images.
        normalizer: A stain normalizer.
        cache: Whether to use the image cache.
        cache_dir: The folder of the image cache.
        workers: Number of threads in which Keras prefetches batches.
        progress: Whether to show a progress bar while images are prepared.

    Raises:
        ImageError: If files cannot be read.
        ValueError: If arguments are inconsistent.
    """

    def __init__(
        self,
        paths: Sequence[str],
        labels: npt.ArrayLike,
        *,
        image_size: int | Sequence[int],
        batch_size: int = 32,
        resize: str = "stretch",
        shuffle: bool = False,
        augment: BatchAugmentation | None = None,
        seed: int = 0,
        initial_epoch: int | EpochCounter = 0,
        sampling: str | None = None,
        cases: Sequence[Any] | None = None,
        shard: tuple[int, int] = (0, 1),
        drop_remainder: bool = False,
        weights: npt.ArrayLike | None = None,
        class_count: int | None = None,
        normalizer: Normalizer | None = None,
        cache: bool = True,
        cache_dir: str | os.PathLike[str] | None = None,
        workers: int = 1,
        progress: bool | None = None,
    ) -> None:
        super().__init__(workers=workers)
        count = len(paths)
        self._labels = check_length(labels, "labels", count, np.int64)
        self._weights = None if weights is None else check_length(weights, "weights", count, np.float32)
        groups = sampling_groups(sampling, self._labels, cases, count)
        self._order = EpochOrder(count, batch_size, shuffle, seed, groups, shard, drop_remainder)
        self._counter = initial_epoch if isinstance(initial_epoch, EpochCounter) else EpochCounter(initial_epoch)
        check_augmentation(augment, class_count)
        self._policy = augment
        self._class_count = class_count
        self._source = open_images(
            paths,
            ReadSettings(check_image_size(image_size), resize, normalizer),
            cache=cache,
            cache_dir=cache_dir,
            progress=progress,
        )
        self._epoch = -1
        self._rows: Rows = np.empty(0, np.int64)

    @override
    def __len__(self) -> int:
        return self._order.batches

    @override
    def __getitem__(self, index: int) -> tuple[npt.NDArray[Any], ...]:
        """Return batch `index` of the current epoch: images (uint8), labels and, if given, weights."""
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        epoch, rows = self._epoch_rows()
        chosen = self._order.batch(rows, index)
        images: Any = self._source.read(chosen)
        labels: Any = self._labels[chosen]
        if self._policy is not None:
            images, labels = self._augment(images, labels, epoch, index)
        return (images, labels) if self._weights is None else (images, labels, self._weights[chosen])

    @override
    def on_epoch_end(self) -> None:
        """Start the next epoch."""
        self._counter.value += 1

    def _augment(self, images: Any, labels: Any, epoch: int, index: int) -> tuple[Any, Any]:
        import tensorflow as tf

        assert self._policy is not None
        with tf.device("CPU:0"):
            key = batch_key(self._order.seed, epoch, index, self._order.shard[0])
            images, labels = self._policy(tf.constant(images), tf.constant(labels), key, class_count=self._class_count)
        return np.asarray(images), np.asarray(labels)

    def _epoch_rows(self) -> tuple[int, Rows]:
        epoch = self._counter.value
        if epoch != self._epoch:
            self._rows = self._order.rows(epoch)
            self._epoch = epoch
        return epoch, self._rows
