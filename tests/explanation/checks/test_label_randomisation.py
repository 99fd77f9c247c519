import keras
import numpy as np
import pytest

from breastcls.explanation.checks.label_randomisation import _fit_last_layer, randomise_labels
from breastcls.explanation.explain import explain
from breastcls.models.building import build_model


@pytest.mark.parametrize("units", [1, 2, 3])
def test_the_last_layer_learns_the_labels_it_is_given(units):
    generator = np.random.default_rng(0)
    features, labels = generator.normal(size=(12, 40)), np.arange(12) % max(units, 2)
    dense = keras.layers.Dense(units)
    dense.build((None, 40))
    values = {variable.path: value for variable, value in _fit_last_layer(dense, features, labels)}
    scores = features @ values[dense.kernel.path] + values[dense.bias.path]
    predicted = (scores[:, 0] > 0).astype(int) if units == 1 else scores.argmax(axis=1)
    np.testing.assert_array_equal(predicted, labels)


def test_the_model_is_the_same_afterwards_and_the_result_repeats(small_model, noise_images):
    model = small_model("flatten")
    before = [weight.copy() for weight in model.get_weights()]
    explanation = explain(model, noise_images, "hires-cam", target_class=1)
    first = randomise_labels(model, noise_images, explanation, seed=1)
    np.testing.assert_array_equal(first, randomise_labels(model, noise_images, explanation, seed=1))
    assert first.shape == (5,)
    assert np.median(first) < 0.7
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_last_layer_of_a_model_of_build_model_is_found(noise_images):
    """Its softmax is a layer of its own."""
    model = build_model("cnn4", classes=("benign", "malignant"), image_size=16, seed=7)
    explanation = explain(model, noise_images, "gradient-x-input", target_class=1)
    found = randomise_labels(model, noise_images, explanation)
    assert np.isfinite(found).all()
    assert np.median(found) < 0.9


def test_a_model_without_a_last_dense_layer_is_not_tested(noise_images):
    layers = [keras.layers.Conv2D(2, 3), keras.layers.GlobalAveragePooling2D(), keras.layers.Softmax()]
    model = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    explanation = explain(model, noise_images, "occlusion", target_class=1)
    assert randomise_labels(model, noise_images, explanation) is None
