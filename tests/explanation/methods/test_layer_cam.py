import keras
import numpy as np
import pytest

from breastcls.explanation.methods.layer_cam import LAYER_CAM
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([0, 1, 2, 1, 0], np.int64)


@pytest.mark.parametrize("layer", ["first", "last"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_equals_tf_keras_vis(small_model, noise_images, layer):
    reference = pytest.importorskip("tf_keras_vis.layercam")
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    model = small_model("flatten")
    images = noise_images.astype(np.float32)
    expected = reference.Layercam(model, model_modifier=ReplaceToLinear())(
        CategoricalScore(TARGETS.tolist()), images, penultimate_layer=layer, expand_cam=False, normalize_cam=False
    )
    values = LAYER_CAM.compute(ScoredModel(model, images), images, TARGETS, layer=layer).values
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-6)


def test_only_positive_gradients_contribute(small_model, noise_images):
    model = small_model("flatten")
    images = noise_images.astype(np.float32)
    features = keras.Model(model.input, model.get_layer("last").output).predict(images, verbose=0)
    kernel = np.maximum(model.get_layer("scores").get_weights()[0].reshape(12, 12, 5, 3), 0)
    expected = np.stack([(features[n] * kernel[..., t]).sum(axis=-1) for n, t in enumerate(TARGETS)])
    np.testing.assert_allclose(
        LAYER_CAM.compute(ScoredModel(model, images), images, TARGETS).values, expected, rtol=1e-3, atol=1e-5
    )
