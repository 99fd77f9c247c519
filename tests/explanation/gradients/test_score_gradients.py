"""Gradients against finite differences of the scores."""

import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.gradients.score_gradients import feature_gradients, image_gradients
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([0, 2], np.int64)


def build():
    """A model with smooth activations, for which finite differences are accurate."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(3, 3, activation="tanh", name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(4, activation="tanh"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


IMAGES = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3)).astype(np.float32)


def score(scored, images, **options):
    return keras.ops.convert_to_numpy(scored.score_tensor(images, **options))[[0, 1], TARGETS]


@pytest.mark.parametrize("place", [(0, 0, 0), (2, 3, 1), (5, 5, 2)])
def test_the_gradient_of_the_pixels_is_the_finite_difference(place):
    scored = ScoredModel(build(), IMAGES)
    gradients = image_gradients(scored, IMAGES, TARGETS)
    step = np.zeros_like(IMAGES)
    step[(slice(None), *place)] = 4.0
    expected = (score(scored, IMAGES + step) - score(scored, IMAGES - step)) / 8.0
    np.testing.assert_allclose(gradients[(slice(None), *place)], expected, rtol=2e-2, atol=1e-7)


@pytest.mark.parametrize("place", [(0, 0, 0), (1, 3, 1), (3, 3, 2)])
def test_the_gradient_of_a_feature_map_is_the_finite_difference(place):
    scored = ScoredModel(build(), IMAGES)
    feature_map = scored.feature_map()
    features, gradients = feature_gradients(scored, IMAGES, TARGETS, feature_map)
    assert features.shape == gradients.shape == (2, 4, 4, 3)

    def moved(by):
        changed = features.copy()
        changed[(slice(None), *place)] += by
        return score(scored, IMAGES, observe=lambda slot, value: changed if slot == feature_map.slot else value)

    np.testing.assert_allclose(
        gradients[(slice(None), *place)], (moved(0.05) - moved(-0.05)) / 0.1, rtol=1e-2, atol=1e-5
    )


def test_the_feature_map_is_that_of_the_layer():
    model = build()
    features, _ = feature_gradients(
        ScoredModel(model, IMAGES), IMAGES, TARGETS, ScoredModel(model, IMAGES).feature_map()
    )
    expected = keras.Model(model.inputs, model.get_layer("conv").output)(IMAGES)
    np.testing.assert_allclose(features, expected, rtol=1e-5)


def test_pixels_that_are_rounded_have_no_gradient():
    inputs = keras.Input((6, 6, 3))
    value = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(keras.ops.cast(inputs, "uint8")))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(value))
    with pytest.raises(ExplanationError, match="occlusion"):
        image_gradients(ScoredModel(model, IMAGES), IMAGES, TARGETS)
