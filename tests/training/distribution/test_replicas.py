"""Copies of a model for several devices; that they learn alike is tested in test_distribution.py."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

import breastcls as bc
from breastcls.errors import TrainingError
from breastcls.training.distribution.replicas import ShardedDropout, copy_into


@pytest.fixture(scope="module")
def mirror():
    return tf.distribute.MirroredStrategy(["CPU:0"])


def test_a_copy_gives_the_same_and_draws_nothing_of_the_caller(small, mirror):
    model = small()
    random.seed(1)
    expected = random.random()
    random.seed(1)
    copy = copy_into(mirror, model)
    assert random.random() == expected
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype("float32")
    np.testing.assert_array_equal(copy(images), model(images))
    assert sum(isinstance(layer, ShardedDropout) for layer in copy._flatten_layers()) == sum(
        type(layer) is keras.layers.Dropout for layer in model._flatten_layers()
    )
    assert [weight.path for weight in copy.weights] == [weight.path for weight in model.weights]


def test_a_copy_computes_as_the_model_does(small, mirror):
    from breastcls.models.precision import use_precision

    model = small()
    with use_precision(model, "bfloat16"):
        copy = copy_into(mirror, model)
        expected = [layer.dtype_policy.name for layer in model._flatten_layers() if layer.weights]
        expected.append(model.layers[-1].dtype_policy.name)
    found = [layer.dtype_policy.name for layer in copy._flatten_layers() if layer.weights]
    assert [*found, copy.layers[-1].dtype_policy.name] == expected
    assert set(expected) == {"mixed_bfloat16", "float32"}


def test_on_one_device_sharded_dropout_is_dropout(tmp_path):
    usual, sharded = (
        keras.Sequential([keras.Input((50,)), layer(0.4, seed=3)]) for layer in (keras.layers.Dropout, ShardedDropout)
    )
    values = np.ones((4, 50), "float32")
    np.testing.assert_array_equal(usual(values, training=True), sharded(values, training=True))
    np.testing.assert_array_equal(sharded(values), values)
    sharded.save(tmp_path / "sharded.keras")
    assert isinstance(bc.load_model(tmp_path / "sharded.keras").layers[0], ShardedDropout)


def test_a_model_that_cannot_be_copied_is_refused(mirror):
    class Own(keras.Model):
        def __init__(self, size):
            super().__init__()
            self.dense = keras.layers.Dense(size)

        def call(self, inputs):
            return self.dense(inputs)

    with pytest.raises(TrainingError, match="cannot be copied to several devices"):
        copy_into(mirror, Own(2))
