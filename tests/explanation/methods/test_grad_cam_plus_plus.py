import numpy as np
import pytest

from breastcls.explanation.gradients.score_gradients import feature_gradients
from breastcls.explanation.methods.grad_cam_plus_plus import GRAD_CAM_PLUS_PLUS
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([0, 1, 2, 1, 0], np.int64)


def scaled(maps):
    maps = np.maximum(maps, 0)
    return maps / maps.max(axis=(1, 2), keepdims=True)


@pytest.mark.parametrize("head", ["pool", "flatten"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_equals_tf_keras_vis_up_to_the_scale_of_each_image(small_model, noise_images, head):
    reference = pytest.importorskip("tf_keras_vis.gradcam_plus_plus")
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    model = small_model(head)
    images = noise_images.astype(np.float32)
    expected = reference.GradcamPlusPlus(model, model_modifier=ReplaceToLinear())(
        CategoricalScore(TARGETS.tolist()), images, penultimate_layer="last", expand_cam=False, normalize_cam=False
    )
    values = GRAD_CAM_PLUS_PLUS.compute(ScoredModel(model, images), images, TARGETS).values
    np.testing.assert_allclose(scaled(values), scaled(np.asarray(expected)), rtol=2e-3, atol=1e-4)


def test_it_equals_the_formula_with_loops(small_model, noise_images):
    model, images = small_model("flatten"), noise_images[:1].astype(np.float32)
    scored = ScoredModel(model, images)
    features, gradients = feature_gradients(scored, images, TARGETS[:1], scored.feature_map())
    expected = np.zeros(features.shape[1:3])
    for channel in range(features.shape[-1]):
        feature, gradient = features[0, ..., channel].astype(float), gradients[0, ..., channel].astype(float)
        alpha = np.zeros_like(feature)
        for place in np.ndindex(feature.shape):
            below = 2 * gradient[place] ** 2 + feature.sum() * gradient[place] ** 3
            alpha[place] = gradient[place] ** 2 / below if below else 0.0
        alpha = alpha / alpha.sum()
        expected += (alpha * np.maximum(gradient, 0)).sum() * feature
    values = GRAD_CAM_PLUS_PLUS.compute(scored, images, TARGETS[:1]).values[0]
    np.testing.assert_allclose(values, expected, rtol=1e-4)


def test_a_score_that_does_not_depend_on_the_map_gives_zeros(small_model, noise_images):
    model = small_model("pool")
    model.layers[-1].set_weights([np.zeros((5, 3), np.float32), np.zeros(3, np.float32)])
    images = noise_images.astype(np.float32)
    assert np.all(GRAD_CAM_PLUS_PLUS.compute(ScoredModel(model, images), images, TARGETS).values == 0)
