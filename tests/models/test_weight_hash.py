import hashlib

import keras
import numpy as np

from breastcls.models.weight_hash import fingerprint_weights, hash_shapes, hash_weights, is_same_fingerprint


def build(seed, units=3):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units), keras.layers.BatchNormalization()])


def test_weights_that_differ_in_the_last_bit_have_other_hashes():
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


def test_the_hash_equals_a_direct_computation_and_depends_on_the_weights():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    expected = hashlib.sha256(b"float32(2, 1)" + np.ones((2, 1), "<f4").tobytes())
    expected.update(b"float32(1,)" + np.zeros(1, "<f4").tobytes())
    first = hash_weights(model)
    assert first == expected.hexdigest()
    model.layers[0].bias.assign([1.0])
    assert hash_weights(model) != first


def test_a_fingerprint_distinguishes_models_and_tolerates_rounding():
    model = build(1)
    first = fingerprint_weights(model)
    assert first == fingerprint_weights(build(1))
    assert not is_same_fingerprint(first, fingerprint_weights(build(2)))
    assert not is_same_fingerprint(first, first[:2])
    # What begins at zero does so on every machine.
    model.set_weights([np.where(one == 0, one, np.nextafter(one, np.float32(9))) for one in model.get_weights()])
    assert hash_weights(model) != hash_weights(build(1))
    assert is_same_fingerprint(first, fingerprint_weights(model))


def test_a_fingerprint_distinguishes_heads_on_a_large_backbone():
    def with_head(seed):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Dense(500, kernel_initializer="ones"), keras.layers.BatchNormalization()]
        head = keras.layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(seed=seed))
        return keras.Sequential([keras.Input((500,)), *layers, head])

    assert is_same_fingerprint(fingerprint_weights(with_head(1)), fingerprint_weights(with_head(1)))
    assert not is_same_fingerprint(fingerprint_weights(with_head(1)), fingerprint_weights(with_head(2)))
