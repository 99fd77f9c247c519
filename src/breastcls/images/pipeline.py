"""The input pipeline: image files to shuffled, augmented batches as a `tf.data.Dataset`."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import ImageError
from breastcls.images.batch_augmentation import BatchAugmentation, check_augmentation
from breastcls.images.epoch_order import BatchPart, EpochOrder, sampling_groups
from breastcls.images.image_cache import open_images
from breastcls.images.image_source import ImageSource, Normalizer, ReadSettings
from breastcls.images.resize import Pixels, check_image_size

_PARALLEL_BATCHES = 2


class EpochCounter:
    """The number of the current epoch of a pipeline.

    An iteration over the pipeline runs epoch `value`, and increases it by one after the last batch. Setting `value`,
    for example in `on_epoch_begin` of a callback, determines the epoch of the next iteration.

    Args:
        value: The first epoch.
    """

    def __init__(self, value: int = 0) -> None:
        self.value = int(value)

    def __repr__(self) -> str:
        return f"EpochCounter({self.value})"


def make_pipeline(
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
    part: BatchPart | None = None,
    drop_remainder: bool = False,
    weights: npt.ArrayLike | None = None,
    with_rows: bool = False,
    class_count: int | None = None,
    crop_from: int | Sequence[int] | None = None,
    normalizer: Normalizer | None = None,
    cache: bool = True,
    cache_dir: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: bool | None = None,
) -> Any:
    """Make a `tf.data.Dataset` of batches, for `model.fit` of Keras.

    Each iteration over it is the next epoch. The order and the augmentation of an epoch depend only on its number and
    `seed`, so that batches do not depend on the number of threads, and training can resume at any epoch.

    Args:
        paths: Image files.
        labels: Class indices, one per image.
        image_size: (height, width) of the images in pixels, or one number for a square.
        batch_size: Images per batch; the last batch may have fewer.
        resize: `"stretch"`, `"crop"` or `"pad"`; see `resize_image`.
        shuffle: Whether to shuffle the images in every epoch.
        augment: An augmentation policy, such as `breastcls.augmentation.find_policy("standard")`; None for validation
            and test images.
        seed: Seed of the order and the augmentation of all epochs.
        initial_epoch: The number of the first epoch, or a counter that can be read and set by the caller.
        sampling: `"class-balanced"` or `"case-balanced"` samples all classes or cases equally often, in a different
            order in every epoch; the number of images per epoch is unchanged.
        cases: The case of each image, required for `"case-balanced"`.
        shard: (index, number) of this worker, if several workers read different batches.
        part: The part of each batch that this worker reads, if several workers share each batch. Images are augmented
            as within the whole batch. Not for policies that mix images.
        drop_remainder: Whether to drop the last batch if it is incomplete.
        weights: Sample weights, one per image, returned as a third element.
        with_rows: Whether to return the positions of the images in `paths` as the last element.
        class_count: Number of classes, required for policies that mix images; labels are then float32 (b, classes).
        crop_from: A larger size to which images are resized first. In training (`shuffle` or `sampling`), a random crop
            of `image_size` is taken, otherwise the central one.
        normalizer: A stain normalizer, applied once when an image is prepared.
        cache: Whether to use the image cache.
        cache_dir: The folder of the image cache; see `cache_folder`.
        workers: Number of threads for decoding; by default one per processor.
        progress: Whether to show a progress bar while images are prepared; by default if standard error is a terminal.

    Returns:
        Batches (images, labels[, weights][, rows]): images uint8 of shape (b, height, width, 3), RGB; labels int64
        (b,), or float32 (b, classes) with a policy that mixes images; weights float32 (b,); rows int64 (b,).

    Raises:
        ImageError: If files cannot be read. Without the cache, the error is raised when the image is read, as an error
            of TensorFlow that contains the message.
        ValueError: If arguments are inconsistent.
    """
    import tensorflow as tf

    size = check_image_size(image_size)
    read_size = size if crop_from is None else check_image_size(crop_from)
    if read_size[0] < size[0] or read_size[1] < size[1]:
        raise ValueError(f"crop_from is {read_size}; expected at least the image_size {size}.")
    labels = check_length(labels, "labels", len(paths), np.int64)
    groups = sampling_groups(sampling, labels, cases, len(paths))
    order = EpochOrder(len(paths), batch_size, shuffle, seed, groups, shard, drop_remainder)
    counter = initial_epoch if isinstance(initial_epoch, EpochCounter) else EpochCounter(initial_epoch)
    check_augmentation(augment, class_count)
    if part is not None and augment is not None and augment.mixes:
        raise ValueError(
            f"The policy {augment.name!r} mixes images of a batch and needs whole batches, not a part of each."
        )
    source = open_images(
        paths,
        ReadSettings(read_size, resize, normalizer),
        cache=cache,
        cache_dir=cache_dir,
        workers=workers,
        progress=progress,
    )

    def plan() -> Iterator[tuple[npt.NDArray[np.int64], ...]]:
        epoch = counter.value
        rows = order.rows(epoch)
        for number in range(order.batches):
            batch = order.batch(rows, number)
            places = np.arange(len(batch)) if part is None else part.places(len(batch))
            yield batch[places], places, np.array([epoch, number, shard[0], len(batch)], np.int64)

    fixed = order.batch_size if drop_remainder and part is None else None
    all_labels = tf.constant(labels)
    all_weights = None if weights is None else tf.constant(check_length(weights, "weights", len(paths), np.float32))

    # TensorFlow keeps Python functions until the graph ends in which they were created. Only the pipeline keeps the
    # source, so that its files are closed as soon as the pipeline and its iterators are dropped.
    read = _WeakRead(source)

    def load(rows: Any, places: Any, step: Any) -> Any:
        images = tf.numpy_function(read, [rows], tf.uint8, stateful=False)
        images.set_shape((fixed, *read_size, 3))
        truth = tf.gather(all_labels, rows)
        if read_size != size:
            training = shuffle or groups is not None
            key = batch_key(seed, step[0], step[1], step[2]) if training else None
            images = _crop(images, size, key, places, step[3])
        if augment is not None:
            key = batch_key(seed, step[0], step[1], step[2])
            within = None if part is None else (places, step[3])
            images, truth = augment(images, truth, key, class_count=class_count, part=within)
        batch = [images, truth]
        if all_weights is not None:
            batch.append(tf.gather(all_weights, rows))
        if with_rows:
            batch.append(rows)
        return (*batch, step)

    def note_last(step: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        # Not at the end of `plan`, which runs ahead because of prefetching.
        if step[1] == order.batches - 1:
            counter.value = int(step[0]) + 1
        return step

    def finish(*batch: Any) -> Any:
        step = tf.numpy_function(note_last, [batch[-1]], tf.int64, stateful=True)
        with tf.control_dependencies([step]):
            images = tf.identity(batch[0])
        return (images, *batch[1:-1])

    spec = tf.TensorSpec((fixed,), tf.int64)
    signature = (spec, spec, tf.TensorSpec((4,), tf.int64))
    # These functions do not branch on tensors, so that AutoGraph has nothing to convert.
    unconverted = tf.autograph.experimental.do_not_convert
    functions = tf.Graph()
    with functions.as_default(), tf.__internal__.eager_context.eager_mode():
        pipeline = base = tf.data.Dataset.from_generator(plan, output_signature=signature)
        pipeline = pipeline.map(unconverted(load), num_parallel_calls=_PARALLEL_BATCHES, deterministic=True)
        pipeline = pipeline.prefetch(_PARALLEL_BATCHES).map(unconverted(finish))
    # Every dataset that is derived from this one, and every iterator over it, refers to it.
    base.kept_for_functions = (source, functions)
    options = tf.data.Options()
    # Prefetching after `finish` would count an epoch before its last batch was returned.
    options.experimental_optimization.inject_prefetch = False
    # There is nothing to optimise, and the search would take longer than an epoch of a small dataset.
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    # `order` already selects the images of this worker.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return pipeline.with_options(options).apply(tf.data.experimental.assert_cardinality(order.batches))


class _WeakRead:
    """Reads from a source without keeping it."""

    def __init__(self, source: ImageSource) -> None:
        self._source = weakref.ref(source)

    def __call__(self, rows: npt.NDArray[np.int64]) -> Pixels:
        source = self._source()
        if source is None:
            raise ImageError(
                "The pipeline was dropped while it was read. Keep the dataset that `make_pipeline` returns."
            )
        return source.read(rows)


def read_batch(
    paths: Sequence[str],
    *,
    image_size: int | Sequence[int],
    resize: str = "stretch",
    normalizer: Normalizer | None = None,
    cache: bool = True,
    cache_dir: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: bool | None = None,
) -> Pixels:
    """Read all images into one array.

    Args:
        paths: Image files.
        image_size: (height, width) of the images in pixels, or one number for a square.
        resize: `"stretch"`, `"crop"` or `"pad"`; see `resize_image`.
        normalizer: A stain normalizer.
        cache: Whether to use the image cache.
        cache_dir: The folder of the image cache; see `cache_folder`.
        workers: Number of threads for decoding; by default one per processor.
        progress: Whether to show a progress bar while images are prepared; by default if standard error is a terminal.

    Returns:
        uint8 array of shape (n, height, width, 3).

    Raises:
        ImageError: If files cannot be read.
    """
    settings = ReadSettings(check_image_size(image_size), resize, normalizer)
    source = open_images(paths, settings, cache=cache, cache_dir=cache_dir, workers=workers, progress=progress)
    return source.read(np.arange(len(paths)))


def check_length(values: npt.ArrayLike, name: str, count: int, dtype: type) -> npt.NDArray[Any]:
    """Return `values` as an array of `dtype` of shape (count,).

    Raises:
        ValueError: If it has another shape.
    """
    array = np.asarray(values)
    if array.shape != (count,):
        raise ValueError(f"{name} has the shape {array.shape}; expected ({count},), one value per image.")
    return array.astype(dtype)


def batch_key(seed: int, epoch: Any, number: Any, shard: Any) -> Any:
    """Return the stateless seed of a batch, an int64 tensor of shape (2,)."""
    import tensorflow as tf

    fold = tf.random.experimental.stateless_fold_in
    # The fold of an int32 differs from that of an int64 of the same value.
    start, batch, worker = (tf.cast(value, tf.int64) for value in (epoch, number, shard))
    return fold(fold(tf.stack([tf.constant(seed, tf.int64), start]), batch), worker)


def _crop(images: Any, size: tuple[int, int], key: Any, places: Any, count: Any) -> Any:
    import tensorflow as tf

    height, width = images.shape[1:3]
    room = (height - size[0], width - size[1])
    if key is None:
        return images[:, room[0] // 2 : room[0] // 2 + size[0], room[1] // 2 : room[1] // 2 + size[1]]
    key = tf.random.experimental.stateless_fold_in(key, 7)
    share = tf.gather(tf.random.stateless_uniform((count, 2), key), places)
    corners = tf.cast(share * tf.constant([room[0] + 1, room[1] + 1], tf.float32), tf.int32)
    # Gathering rows and then columns crops every image at its own corner.
    rows = corners[:, :1] + tf.range(size[0])
    columns = corners[:, 1:] + tf.range(size[1])
    images = tf.gather(images, rows, axis=1, batch_dims=1)
    images = tf.gather(tf.transpose(images, (0, 2, 1, 3)), columns, axis=1, batch_dims=1)
    return tf.transpose(images, (0, 2, 1, 3))
