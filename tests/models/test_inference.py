import keras
import numpy as np

from breastcls.models.inference import run_batches


def test_the_last_batch_is_padded_and_cropped():
    shapes = []

    class Doubled(keras.layers.Layer):
        def call(self, inputs):
            shapes.append(tuple(inputs.shape))
            return inputs * 2

    model = keras.Sequential([keras.Input((3,)), Doubled()])
    shapes.clear()
    values = np.arange(21, dtype="float32").reshape(7, 3)
    outputs = list(run_batches(model, [values[:3], values[3:6], values[6:]]))
    assert [len(output) for output in outputs] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(outputs), values * 2)
    assert len(set(shapes)) == 1
    assert model.jit_compile is False


def test_a_single_small_batch_is_not_padded():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Flatten()])
    assert [len(output) for output in run_batches(model, [np.ones((2, 2))])] == [2]
