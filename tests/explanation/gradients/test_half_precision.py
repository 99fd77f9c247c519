import keras
import numpy as np
import pytest

from breastcls.explanation.gradients.gradient_backend import find_gradient_backend
from breastcls.explanation.gradients.half_precision import differentiate_scaled
from breastcls.explanation.gradients.score_gradients import image_gradients
from breastcls.explanation.scored_model import ScoredModel
from support.explanation_fixtures import build_in_precision

IMAGES = np.random.default_rng(3).integers(0, 256, (2, 16, 16, 3)).astype(np.float32)


def build(policy, gain):
    model = build_in_precision(policy, seed=5)
    model.layers[-1].kernel.assign(gain * model.layers[-1].kernel)
    return model


@pytest.mark.parametrize("gain", [1e-2, 1.0, 1e3])
def test_gradients_below_the_range_of_float16_and_those_above_it_when_scaled_are_those_of_float32(gain):
    targets = np.array([0, 1])
    found, expected = (
        image_gradients(ScoredModel(build(policy, gain), IMAGES), IMAGES, targets)
        for policy in ("mixed_float16", "float32")
    )
    assert np.abs(expected).max() > 0.0
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.01 * np.abs(expected).max())


def test_an_input_without_gradient_stays_none():
    backend = find_gradient_backend()
    inputs = [keras.ops.ones((2, 3)), keras.ops.ones((2, 3))]
    first, second = differentiate_scaled(backend.differentiate, lambda a, b: keras.ops.sum(a, axis=1), inputs)
    np.testing.assert_allclose(first, np.ones((2, 3)))
    assert second is None
