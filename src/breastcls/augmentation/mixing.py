"""Mixing images of a batch with each other, and their labels accordingly: mixup, CutMix and FMix."""

from __future__ import annotations

from typing import Any


def mixup(images: Any, labels: Any, key: Any, alpha: float, class_count: int) -> tuple[Any, Any]:
    """Average each image with another of its batch (Zhang et al. 2018, arXiv 1710.09412).

    Args:
        images: uint8 tensor (b, height, width, 3).
        labels: int64 tensor (b,).
        key: Stateless seed, int64 (2,).
        alpha: Both parameters of the Beta distribution of the weight.
        class_count: Number of classes.

    Returns:
        uint8 images, and float32 labels of shape (b, classes) whose rows sum to one.
    """
    import tensorflow as tf

    partner, share = _partners(images, key, alpha)
    weight = share[:, None, None, None]
    mixed = weight * tf.cast(images, tf.float32) + (1 - weight) * tf.cast(tf.gather(images, partner), tf.float32)
    return tf.cast(tf.round(mixed), tf.uint8), _mix_labels(labels, partner, share, class_count)


def cutmix(images: Any, labels: Any, key: Any, alpha: float, class_count: int) -> tuple[Any, Any]:
    """Replace a rectangle of each image by that of another image of its batch.

    Yun et al. 2019, DOI 10.1109/ICCV.2019.00612. The arguments and the result are those of `mixup`; the weight of a
    label is the fraction of unchanged pixels.
    """
    import tensorflow as tf

    partner, share = _partners(images, key, alpha)
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    side = tf.sqrt(1 - share)
    places = tf.random.stateless_uniform((tf.shape(images)[0], 2), tf.random.experimental.stateless_fold_in(key, 103))
    inside = []
    for axis, length in ((0, height), (1, width)):
        extent = tf.cast(length, tf.float32)
        middle, half = places[:, axis] * extent, side * extent / 2
        low = tf.clip_by_value(tf.round(middle - half), 0, extent)
        high = tf.clip_by_value(tf.round(middle + half), 0, extent)
        steps = tf.cast(tf.range(length), tf.float32)
        inside.append((steps >= low[:, None]) & (steps < high[:, None]))
    box = inside[0][:, :, None] & inside[1][:, None, :]
    mixed = tf.where(box[..., None], tf.gather(images, partner), images)
    kept = 1 - tf.reduce_mean(tf.cast(box, tf.float32), axis=(1, 2))
    return mixed, _mix_labels(labels, partner, kept, class_count)


def fourier_mix(images: Any, labels: Any, key: Any, alpha: float, class_count: int) -> tuple[Any, Any]:
    """Replace a region of random smooth shape of each image by that of another image of its batch.

    FMix (Harris et al. 2020, DOI 10.48550/arXiv.2002.12047), with the masks of KerasCV. The arguments and the result
    are those of `mixup`; the weight of a label is the fraction of unchanged pixels.
    """
    import tensorflow as tf

    from breastcls.augmentation.keras_cv_operations import draw_fourier_masks

    partner, share = _partners(images, key, alpha)
    height, width = images.shape[1:3]
    masks = draw_fourier_masks(tf.random.experimental.stateless_fold_in(key, 104), share, height, width)
    mixed = tf.where(masks[..., None] > 0, images, tf.gather(images, partner))
    return mixed, _mix_labels(labels, partner, tf.reduce_mean(masks, axis=(1, 2)), class_count)


def _partners(images: Any, key: Any, alpha: float) -> tuple[Any, Any]:
    import tensorflow as tf

    fold = tf.random.experimental.stateless_fold_in
    count = tf.shape(images)[0]
    partner = tf.argsort(tf.random.stateless_uniform((count,), fold(key, 100)))
    # X / (X + Y) of two Gamma variables has a Beta distribution.
    first = tf.random.stateless_gamma((count,), fold(key, 101), alpha) + 1e-12
    second = tf.random.stateless_gamma((count,), fold(key, 102), alpha) + 1e-12
    return partner, first / (first + second)


def _mix_labels(labels: Any, partner: Any, share: Any, class_count: int) -> Any:
    import tensorflow as tf

    truth = tf.one_hot(labels, class_count, dtype=tf.float32)
    return share[:, None] * truth + (1 - share[:, None]) * tf.gather(truth, partner)
