import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.scored_model import ScoredModel
from breastcls.explanation.unrolling import unroll


def outputs_of(model, images):
    return keras.ops.convert_to_numpy(unroll(model).run(images.astype(np.float32)))


def direct(model, images):
    return keras.ops.convert_to_numpy(model(images.astype(np.float32), training=False))


def test_nested_models_have_the_same_output(nested_model, noise_images):
    np.testing.assert_array_equal(outputs_of(nested_model, noise_images), direct(nested_model, noise_images))
    paths = [step.path for step in unroll(nested_model).steps]
    assert "middle/inner/conv" in paths
    assert "middle/add" in paths
    assert paths[-1].startswith("head/")


def test_unrolling_a_model_does_not_change_its_layers(nested_model, noise_images):
    def count():
        return sum(len(layer._inbound_nodes) for layer in nested_model._flatten_layers())

    before = count()
    outputs_of(nested_model, noise_images)
    assert count() == before


def test_a_layer_called_twice_is_two_steps(noise_images):
    inputs = keras.Input((16, 16, 3))
    shared = keras.layers.Conv2D(3, 3, padding="same", name="shared")
    model = keras.Model(inputs, keras.layers.GlobalMaxPooling2D()(shared(shared(inputs))))
    assert [step.path for step in unroll(model).steps][:2] == ["shared", "shared#2"]
    np.testing.assert_array_equal(outputs_of(model, noise_images), direct(model, noise_images))


def test_a_backbone_called_twice_is_unrolled_twice(noise_images):
    keras.utils.set_random_seed(0)
    backbone = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(3, 3, padding="same")])
    inputs = keras.Input((16, 16, 3))
    value = keras.layers.Concatenate()([backbone(inputs), backbone(255.0 - inputs)])
    model = keras.Model(inputs, keras.layers.GlobalMaxPooling2D()(value))
    np.testing.assert_allclose(outputs_of(model, noise_images), direct(model, noise_images), rtol=1e-6)


def test_operations_that_are_not_layers_are_steps(noise_images):
    inputs = keras.Input((16, 16, 3))
    value = keras.ops.mean(keras.ops.relu(inputs / 255.0 - 0.5), axis=(1, 2))
    model = keras.Model(inputs, keras.ops.softmax(value * 3.0))
    np.testing.assert_allclose(outputs_of(model, noise_images), direct(model, noise_images), rtol=1e-6)


def test_steps_without_effect_on_the_output_are_omitted(noise_images):
    inner_in = keras.Input((16, 16, 3))
    used = keras.layers.Conv2D(2, 3, name="used")(inner_in)
    pyramid = keras.Model(inner_in, [used, keras.layers.Conv2D(2, 3, name="unused")(used)], name="pyramid")
    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, keras.layers.GlobalMaxPooling2D()(pyramid(inputs)[0]))
    assert unroll(model).steps[0].path == "pyramid/used"
    assert not any("unused" in step.path for step in unroll(model).steps)
    np.testing.assert_array_equal(outputs_of(model, noise_images), direct(model, noise_images))


def test_dropout_is_inactive_despite_a_recorded_training_argument(noise_images):
    inputs = keras.Input((16, 16, 3))
    value = keras.layers.Dropout(0.9)(inputs, training=True)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(value))
    np.testing.assert_allclose(outputs_of(model, noise_images), noise_images.mean(axis=(1, 2)), rtol=1e-5)


def test_a_subclassed_model_is_one_step(noise_images):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2, activation="softmax")

        def call(self, images, training=False):
            return self.dense(keras.ops.mean(images, axis=(1, 2)) / 255.0)

    model = Own()
    with pytest.raises(ExplanationError, match="is not built"):
        unroll(model)
    model(noise_images)
    assert len(unroll(model).steps) == 1
    np.testing.assert_array_equal(outputs_of(model, noise_images), direct(model, noise_images))


def test_anything_but_a_model_is_refused():
    with pytest.raises(ExplanationError, match=r"is a function; expected a keras\.Model"):
        unroll(lambda images: images)


def test_two_outputs_are_refused():
    inputs = keras.Input((4, 4, 3))
    with pytest.raises(ExplanationError, match="1 inputs and 2 outputs"):
        unroll(keras.Model(inputs, [keras.layers.Flatten()(inputs), keras.layers.Flatten()(inputs)]))


def test_a_subclassed_model_with_two_outputs_is_refused(noise_images):
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, images):
            pooled = keras.ops.mean(images, axis=(1, 2))
            return self.dense(pooled), pooled

    model = Two()
    model(noise_images.astype(np.float32))
    with pytest.raises(ExplanationError, match="has 2 outputs; expected one array"):
        ScoredModel(model, noise_images)
