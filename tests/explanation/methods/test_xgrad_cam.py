import numpy as np

from breastcls.explanation.gradients.score_gradients import feature_gradients
from breastcls.explanation.methods.grad_cam import GRAD_CAM
from breastcls.explanation.methods.xgrad_cam import XGRAD_CAM, xgrad_cam
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([0, 1, 2, 1, 0], np.int64)


def test_it_equals_the_formula_with_loops(small_model, noise_images):
    """Equation 8 of the paper: the weight of a channel is the sum of gradient times activation over its activations."""
    images = noise_images[:2].astype(np.float32)
    scored = ScoredModel(small_model("flatten"), images)
    features, gradients = feature_gradients(scored, images, TARGETS[:2], scored.feature_map())
    expected = np.zeros(features.shape[:3])
    for number in range(2):
        for channel in range(features.shape[-1]):
            feature, gradient = features[number, ..., channel].astype(float), gradients[number, ..., channel]
            if feature.sum():
                expected[number] += (feature * gradient).sum() / feature.sum() * feature
    values = XGRAD_CAM.compute(scored, images, TARGETS[:2]).values
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-6)


def test_with_global_average_pooling_it_equals_grad_cam(small_model, noise_images):
    images = noise_images.astype(np.float32)
    scored = ScoredModel(small_model("pool"), images)
    np.testing.assert_allclose(
        XGRAD_CAM.compute(scored, images, TARGETS).values,
        GRAD_CAM.compute(scored, images, TARGETS).values,
        rtol=1e-3,
        atol=1e-6,
    )


def test_a_channel_without_activation_has_no_weight():
    assert np.all(xgrad_cam(np.zeros((1, 3, 3, 2), np.float32), np.ones((1, 3, 3, 2), np.float32)) == 0)
