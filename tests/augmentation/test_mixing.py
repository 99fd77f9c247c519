"""Mixed images are weighted means of two images of the batch, and labels have the same weights."""

import numpy as np
import tensorflow as tf

from breastcls.augmentation.mixing import cutmix, mixup

COUNT = 8
# Image i is one single grey, so that what a result is made of can be read from it.
IMAGES = np.repeat(np.arange(COUNT, dtype=np.uint8) * 30, 20 * 30 * 3).reshape(COUNT, 20, 30, 3)
LABELS = np.arange(COUNT)


def run(mix, alpha=1.0, key=(0, 1)):
    images, labels = mix(tf.constant(IMAGES), tf.constant(LABELS), tf.constant(key, tf.int64), alpha, COUNT)
    return images.numpy(), labels.numpy()


def test_mixup_is_the_average_that_the_labels_say():
    images, labels = run(mixup)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    assert ((labels > 0).sum(axis=1) <= 2).all()
    np.testing.assert_allclose(images[:, 0, 0, 0], labels @ (np.arange(COUNT) * 30), atol=0.51)


def test_cutmix_puts_one_rectangle_in_and_counts_its_pixels():
    images, labels = run(cutmix)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    for number, (image, label) in enumerate(zip(images[..., 0], labels, strict=True)):
        assert set(np.unique(image)) <= {grey * 30 for grey in np.flatnonzero(label)}
        foreign = image != number * 30
        np.testing.assert_allclose(1 - foreign.mean(), label[number], atol=1e-6)
        if foreign.any():
            rows, columns = np.flatnonzero(foreign.any(axis=1)), np.flatnonzero(foreign.any(axis=0))
            assert foreign[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()


def test_the_share_follows_the_beta_distribution():
    shares = np.concatenate([run(mixup, 0.2, (3, key))[1].max(axis=1) for key in range(60)])
    # The larger of Beta(0.2, 0.2) and its complement: mostly near one.
    reference = np.random.default_rng(0).beta(0.2, 0.2, 20_000)
    assert abs(shares.mean() - np.maximum(reference, 1 - reference).mean()) < 0.03


def test_another_key_mixes_otherwise():
    assert (run(mixup)[0] != run(mixup, key=(0, 2))[0]).any()
