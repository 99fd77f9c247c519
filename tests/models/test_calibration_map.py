import numpy as np
import pytest
from scipy.special import softmax

from breastcls.models.calibration_map import apply_temperature


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_temperature_divides_the_logits(temperature, classes):
    logits = np.random.default_rng(0).normal(size=(50, classes)) * 2
    found = apply_temperature(softmax(logits, axis=1), temperature)
    np.testing.assert_allclose(found, softmax(logits / temperature, axis=1), atol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.argmax(axis=1), logits.argmax(axis=1))


def test_certainty_stays_finite():
    assert np.isfinite(apply_temperature(np.array([[0.0, 1.0]]), 0.1)).all()
