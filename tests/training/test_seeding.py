import random

import keras
import numpy as np

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
