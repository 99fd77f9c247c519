"""RandAugment: every operation of Keras that is used, by seed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from breastcls.augmentation.random_operations import _NAMES, _bind, _layers, apply_random_operations

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)


@pytest.mark.parametrize("number", range(len(_NAMES)), ids=_NAMES)
def test_each_operation_repeats_with_its_key(number):
    layer = _layers(0.4)[number]
    image = tf.constant(IMAGE, tf.float32)
    first, again, other = (
        _bind(layer, image, tf.constant(key, tf.int64))().numpy() for key in ([1, 2], [1, 2], [7, 9])
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape == IMAGE.shape
    assert np.isfinite(first).all()
    if isinstance(layer, keras.layers.RandomShear | keras.layers.RandomBrightness | keras.layers.RandomRotation):
        assert (first != other).any()


def test_images_of_a_batch_get_operations_of_their_own():
    batch = np.stack([IMAGE] * 12)
    out = apply_random_operations(tf.constant(batch), tf.constant([0, 1], tf.int64), 2, 0.4).numpy()
    assert len({image.tobytes() for image in out}) > 8
    assert out.dtype == np.uint8


def test_no_operation_changes_nothing():
    out = apply_random_operations(tf.constant(IMAGE[None]), tf.constant([0, 1], tf.int64), 0, 0.4)
    np.testing.assert_array_equal(out.numpy(), IMAGE[None])
