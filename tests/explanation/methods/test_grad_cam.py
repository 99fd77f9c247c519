import keras
import numpy as np
import pytest

from breastcls.explanation.methods.grad_cam import GRAD_CAM
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([0, 1, 2, 1, 0], np.int64)


def test_with_global_average_pooling_it_is_the_class_activation_map(small_model, noise_images):
    """CAM (Zhou et al. 2016): weights of the dense layer times feature maps, from the model's own layers."""
    model = small_model("pool")
    images = noise_images.astype(np.float32)
    features = keras.Model(model.input, model.get_layer("last").output).predict(images, verbose=0)
    kernel = model.get_layer("scores").get_weights()[0]
    expected = np.stack([features[number] @ kernel[:, target] for number, target in enumerate(TARGETS)])
    values = GRAD_CAM.compute(ScoredModel(model, images), images, TARGETS).values
    np.testing.assert_allclose(values * (12 * 12), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("head", ["pool", "flatten"])
@pytest.mark.parametrize("layer", ["first", "last"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_equals_tf_keras_vis(small_model, noise_images, head, layer):
    gradcam = pytest.importorskip("tf_keras_vis.gradcam")
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    model = small_model(head)
    images = noise_images.astype(np.float32)
    reference = gradcam.Gradcam(model, model_modifier=ReplaceToLinear())
    expected = reference(
        CategoricalScore(TARGETS.tolist()),
        images,
        penultimate_layer=layer,
        expand_cam=False,
        normalize_cam=False,
        activation_modifier=None,
    )
    values = GRAD_CAM.compute(ScoredModel(model, images), images, TARGETS, layer=layer).values
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-6)
