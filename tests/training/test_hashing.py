import keras
import numpy as np

from breastcls.training.hashing import hash_shapes, hash_weights


def build(seed, units=3):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units), keras.layers.BatchNormalization()])


def test_weights_are_told_apart_to_the_last_bit():
    model = build(1)
    before = hash_weights(model)
    assert hash_weights(build(1)) == before
    assert hash_weights(build(2)) != before
    weights = model.get_weights()
    weights[0][0, 0] = np.nextafter(weights[0][0, 0], np.float32(9), dtype=np.float32)
    model.set_weights(weights)
    assert hash_weights(model) != before


def test_shapes_are_those_of_the_architecture():
    assert hash_shapes(build(1)) == hash_shapes(build(2))
    assert hash_shapes(build(1)) != hash_shapes(build(1, units=4))
