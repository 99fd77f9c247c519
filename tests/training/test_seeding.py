import random

import keras
import numpy as np
import pytest

from breastcls.models.keras_internals import find_seed_generators
from breastcls.training.seeding import seeded


def test_layers_draw_the_same_again_and_the_caller_is_not_disturbed():
    model = keras.Sequential([keras.Input((50,)), keras.layers.Dropout(0.5), keras.layers.GaussianNoise(1.0)])
    ones = np.ones((2, 50), "float32")
    random.seed(4)
    before = random.getstate()
    draws = []
    for seed in (1, 1, 2):
        with seeded(model, seed):
            draws.append(np.asarray(model(ones, training=True)).tobytes())
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]
    assert random.getstate() == before


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.RandomFlip(),
        lambda: keras.layers.RandomRotation(0.4),
        lambda: keras.layers.RandomBrightness(0.5),
        lambda: keras.layers.RandomZoom(0.4),
    ],
)
def test_layers_that_change_images_at_random_draw_the_same_again(layer):
    """They keep their generator under another name than Dropout does."""
    model = keras.Sequential([keras.Input((8, 8, 3)), layer()])
    images = np.random.default_rng(0).uniform(0, 255, (6, 8, 8, 3)).astype("float32")
    draws = []
    for seed in (1, 1, 2):
        with seeded(model, seed):
            draws.append(np.asarray(model(images, training=True)).tobytes())
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_a_generator_that_layers_share_is_listed_once():
    shared = keras.random.SeedGenerator(1)

    class Noise(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.source = shared

        def call(self, inputs):
            return inputs + keras.random.normal((1,), seed=self.source)

    model = keras.Sequential([keras.Input((4,)), Noise(), Noise()])
    assert [generator is shared for generator in find_seed_generators(model)] == [True]
