import keras
import numpy as np

from breastcls.explanation.methods.grad_cam import GRAD_CAM
from breastcls.explanation.methods.hires_cam import HIRES_CAM
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([0, 1, 2, 1, 0], np.int64)


def test_with_a_linear_head_the_values_add_up_to_the_score_without_its_bias(small_model, noise_images):
    """The property that the paper proves; Grad-CAM, which averages gradients first, does not have it."""
    model = small_model("flatten")
    model.layers[-1].set_weights([model.layers[-1].get_weights()[0], np.array([0.3, -0.2, 0.1], np.float32)])
    images = noise_images.astype(np.float32)
    scored = ScoredModel(model, images)
    scores = scored.scores(images)[np.arange(5), TARGETS] - np.array([0.3, -0.2, 0.1])[TARGETS]
    np.testing.assert_allclose(
        HIRES_CAM.compute(scored, images, TARGETS).values.sum(axis=(1, 2)), scores, rtol=1e-3, atol=1e-4
    )
    assert not np.allclose(GRAD_CAM.compute(scored, images, TARGETS).values.sum(axis=(1, 2)), scores, rtol=0.05)


def test_each_position_is_its_own_weights_times_features(small_model, noise_images):
    model = small_model("flatten")
    images = noise_images.astype(np.float32)
    features = keras.Model(model.input, model.get_layer("last").output).predict(images, verbose=0)
    kernel = model.get_layer("scores").get_weights()[0].reshape(12, 12, 5, 3)
    expected = np.stack([(features[n] * kernel[..., t]).sum(axis=-1) for n, t in enumerate(TARGETS)])
    np.testing.assert_allclose(
        HIRES_CAM.compute(ScoredModel(model, images), images, TARGETS).values, expected, rtol=1e-3, atol=1e-5
    )


def test_with_global_average_pooling_it_equals_grad_cam(small_model, noise_images):
    images = noise_images.astype(np.float32)
    scored = ScoredModel(small_model("pool"), images)
    np.testing.assert_allclose(
        HIRES_CAM.compute(scored, images, TARGETS).values,
        GRAD_CAM.compute(scored, images, TARGETS).values,
        rtol=1e-4,
        atol=1e-6,
    )
