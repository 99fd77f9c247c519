import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.methods.score_cam import score_cam
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([0, 1, 2, 1, 0], np.int64)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_equals_tf_keras_vis_where_masks_need_no_enlarging():
    """Both enlarge masks differently (pixel centres, corners), so the feature map has the size of the image here."""
    reference = pytest.importorskip("tf_keras_vis.scorecam")
    from tf_keras_vis.utils.scores import CategoricalScore

    keras.utils.set_random_seed(4)
    inputs = keras.Input((12, 12, 3))
    value = keras.layers.Rescaling(1 / 64)(inputs)
    value = keras.layers.Conv2D(5, 3, padding="same", activation="relu", name="last")(value)
    scores = keras.layers.Dense(3)(keras.layers.Flatten()(value))
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 3)).astype(np.float32)
    expected = reference.Scorecam(keras.Model(inputs, scores))(
        CategoricalScore(TARGETS.tolist()), images, penultimate_layer="last", expand_cam=False, normalize_cam=False
    )
    values = score_cam(ScoredModel(keras.Model(inputs, keras.layers.Softmax()(scores)), images), images, TARGETS).values
    np.testing.assert_allclose(values, expected, rtol=2e-3, atol=1e-5)


def test_it_equals_an_implementation_with_loops(small_model, noise_images):
    import cv2

    model, images = small_model("pool"), noise_images[:2].astype(np.float32)
    features = keras.Model(model.input, model.get_layer("last").output).predict(images, verbose=0)
    expected = np.zeros((2, 12, 12))
    for number in range(2):
        for channel in range(5):
            feature = features[number, ..., channel]
            if feature.std() == 0:
                continue
            mask = cv2.resize(feature, (16, 16), interpolation=cv2.INTER_LINEAR)
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            seen = images[number] * mask[..., None] + 255.0 * (1 - mask[..., None])
            probability = model.predict(seen[None], verbose=0)[0, TARGETS[number]]
            expected[number] += probability * feature
    values = score_cam(ScoredModel(model, images), images, TARGETS[:2], baseline="white").values
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-5)


def test_the_channels_with_the_largest_deviation_are_used(small_model, noise_images):
    model, images = small_model("pool"), noise_images[:1].astype(np.float32)
    features = keras.Model(model.input, model.get_layer("last").output).predict(images, verbose=0)[0]
    values = score_cam(ScoredModel(model, images), images, TARGETS[:1], channels=1).values[0]
    strongest = features[..., features.std(axis=(0, 1)).argmax()]
    np.testing.assert_allclose(values / values.max(), strongest / strongest.max(), rtol=1e-4)


def test_zero_channels_are_refused(small_model, noise_images):
    images = noise_images.astype(np.float32)
    with pytest.raises(ExplanationError, match="channels is 0"):
        score_cam(ScoredModel(small_model(), images), images, TARGETS, channels=0)
