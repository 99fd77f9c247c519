import keras
import numpy as np
import pytest

from breastcls.explanation.methods.gradient_x_input import gradient_x_input
from breastcls.explanation.scored_model import ScoredModel


@pytest.mark.parametrize(("baseline", "start"), [("black", 0.0), ("white", 255.0)])
def test_a_linear_model_has_weights_times_difference(baseline, start):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3)).astype(np.float32)
    values = gradient_x_input(ScoredModel(model, images), images, np.array([1, 0]), baseline=baseline).values
    for image, value, target in zip(images, values, (1, 0), strict=True):
        expected = ((image - start) * model.get_weights()[0][:, target].reshape(4, 4, 3)).sum(axis=-1)
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-3)
