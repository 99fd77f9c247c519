import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.methods.baseline_image import BASELINES, make_baseline
from breastcls.explanation.methods.integrated_gradients import integrated_gradients
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([0, 1, 2, 1, 0], np.int64)


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("head", ["pool", "flatten"])
def test_completeness(small_model, noise_images, head, baseline):
    """The values sum to the difference in score between the image and the baseline."""
    model, images = small_model(head), noise_images.astype(np.float32)
    scored = ScoredModel(model, images)
    made = integrated_gradients(scored, images, TARGETS, steps=100, baseline=baseline)
    start = make_baseline(images, baseline)
    difference = (scored.scores(images) - scored.scores(start))[np.arange(5), TARGETS]
    np.testing.assert_allclose(made.values.sum(axis=(1, 2)), difference, atol=0.02 * np.abs(difference).max() + 1e-3)
    assert made.residual.max() < 0.01


def test_a_linear_model_has_weights_times_difference():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    images = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3)).astype(np.float32)
    made = integrated_gradients(ScoredModel(model, images), images, np.array([1]), steps=1, baseline="white")
    expected = ((images[0] - 255.0) * model.get_weights()[0][:, 1].reshape(4, 4, 3)).sum(axis=-1)
    np.testing.assert_allclose(made.values[0], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(made.residual, 0, atol=1e-5)


def test_the_residual_is_large_with_too_few_steps():
    """For x^2 the midpoint rule with one step has an error of at least a quarter."""
    inputs = keras.Input((2, 2, 3))
    value = keras.ops.sum((inputs / 255.0) ** 4, axis=(1, 2))
    model = keras.Model(inputs, keras.layers.Dense(2, kernel_initializer="ones")(value))
    images = np.full((1, 2, 2, 3), 255, np.float32)
    scored = ScoredModel(model, images)
    few = integrated_gradients(scored, images, np.array([0]), steps=1, baseline="black").residual[0]
    many = integrated_gradients(scored, images, np.array([0]), steps=64, baseline="black").residual[0]
    assert few == pytest.approx(1.0, abs=1e-3)  # 4 (1/2)^3 = 1/2 instead of 1: an error as large as the sum
    assert many < 1e-3


def test_zero_steps_are_refused(small_model, noise_images):
    images = noise_images.astype(np.float32)
    with pytest.raises(ExplanationError, match="steps is 0"):
        integrated_gradients(ScoredModel(small_model(), images), images, TARGETS, steps=0)
