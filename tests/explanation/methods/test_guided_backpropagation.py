import keras
import numpy as np
import pytest
import tensorflow as tf

from breastcls.errors import ExplanationError
from breastcls.explanation.gradients.score_gradients import image_gradients
from breastcls.explanation.methods.guided_backpropagation import guided_backpropagation
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([0, 1, 2, 1, 0], np.int64)


@tf.custom_gradient
def guided_relu(value):
    """The definition of the paper: the gradient passes where the input and the gradient are positive."""
    return tf.nn.relu(value), lambda upstream: upstream * tf.cast((value > 0) & (upstream > 0), tf.float32)


def test_it_equals_a_model_with_another_gradient(small_model, noise_images):
    model, images = small_model("flatten"), noise_images.astype(np.float32)
    first, last, scores = (model.get_layer(name) for name in ("first", "last", "scores"))
    pixels = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        value = pixels / 127.5 - 1.0
        for layer in (first, last):
            value = guided_relu(tf.nn.conv2d(value, layer.kernel, 1, "VALID") + layer.bias)
        score = tf.reshape(value, (5, -1)) @ scores.kernel + scores.bias
        total = tf.reduce_sum(tf.gather(score, TARGETS, batch_dims=1))
    expected = np.abs(tape.gradient(total, pixels).numpy()).max(axis=-1)
    scored = ScoredModel(model, images)
    plain = image_gradients(scored, images, TARGETS)
    values = guided_backpropagation(scored, images, TARGETS).values
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-7)
    assert not np.allclose(values, np.abs(plain).max(axis=-1), rtol=0.1)
    # The plain gradient of the same prepared model is what it was.
    np.testing.assert_array_equal(image_gradients(scored, images, TARGETS), plain)


@pytest.mark.parametrize(
    "relu",
    [
        lambda value: keras.layers.ReLU()(value),
        lambda value: keras.layers.Activation("relu")(value),
        lambda value: keras.ops.relu(value),
        lambda value: keras.Sequential([keras.Input((14, 14, 4)), keras.layers.ReLU()])(value),
    ],
)
def test_a_relu_is_found_in_every_form(noise_images, relu):
    inputs = keras.Input((16, 16, 3))
    kernel = {"kernel_initializer": keras.initializers.RandomNormal(seed=3)}
    fused = keras.layers.Conv2D(4, 3, activation="relu", name="conv", **kernel)(inputs)
    apart = relu(keras.layers.Conv2D(4, 3, name="conv", **kernel)(inputs))
    images = noise_images.astype(np.float32)
    made = []
    for value in (fused, apart):
        model = keras.Model(inputs, keras.layers.Dense(3, **kernel)(keras.layers.GlobalAveragePooling2D()(value)))
        made.append(guided_backpropagation(ScoredModel(model, images), images, TARGETS).values)
    np.testing.assert_allclose(made[0], made[1], rtol=1e-4, atol=1e-9)
    assert made[0].max() > 0


def test_a_model_without_relu_is_refused(noise_images):
    layers = [keras.layers.Conv2D(2, 3, activation="gelu"), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((16, 16, 3)), *layers, keras.layers.Dense(2)])
    images = noise_images.astype(np.float32)
    with pytest.raises(ExplanationError, match="no ReLU layer"):
        guided_backpropagation(ScoredModel(model, images), images, TARGETS)
