import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.methods.ablation_cam import ablation_cam
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([0, 2], np.int64)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_it_equals_setting_one_channel_after_another_to_zero(small_model, noise_images, batch_size):
    """The head of the model is computed by NumPy."""
    model, images = small_model("flatten"), noise_images[:2].astype(np.float32)
    features = keras.Model(model.input, model.get_layer("last").output).predict(images, verbose=0)
    kernel, bias = model.get_layer("scores").get_weights()
    expected = np.zeros(features.shape[:3])
    for number, target in enumerate(TARGETS):
        score = features[number].ravel() @ kernel[:, target] + bias[target]
        for channel in range(5):
            without = features[number].copy()
            without[..., channel] = 0
            decrease = score - (without.ravel() @ kernel[:, target] + bias[target])
            expected[number] += decrease * features[number, ..., channel]
    values = ablation_cam(ScoredModel(model, images, batch_size), images, TARGETS).values
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-4)


def test_a_second_path_round_the_feature_map_is_computed_too(noise_images):
    """The copies of the feature map are joined with features of the image that were computed before it."""
    keras.utils.set_random_seed(2)
    inputs = keras.Input((16, 16, 3))
    early = keras.layers.Conv2D(2, 3, padding="same", activation="relu", name="early")(inputs / 255.0)
    late = keras.layers.Conv2D(3, 3, padding="same", activation="relu", name="late")(early)
    joined = keras.layers.Concatenate()([late, early])
    outputs = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(joined))
    model, images = keras.Model(inputs, outputs), noise_images[:2].astype(np.float32)
    features = keras.Model(inputs, late).predict(images, verbose=0)
    # For a linear head behind global average pooling the decrease is the weight times the mean of the channel.
    kernel = model.get_weights()[-2][:3]
    weights = features.mean(axis=(1, 2)) * kernel[:, TARGETS].T
    values = ablation_cam(ScoredModel(model, images), images, TARGETS, layer="late").values
    np.testing.assert_allclose(values, np.einsum("nhwc,nc->nhw", features, weights), rtol=1e-3, atol=1e-5)


def test_the_strongest_channels_are_used(small_model, noise_images):
    images = noise_images[:1].astype(np.float32)
    scored = ScoredModel(small_model(), images)
    feature = scored.features(images, scored.feature_map())[0]
    strongest = int(np.abs(feature).mean(axis=(0, 1)).argmax())
    value = ablation_cam(scored, images, TARGETS[:1], channels=1).values[0]
    assert abs(np.corrcoef(value.ravel(), feature[..., strongest].ravel())[0, 1]) == pytest.approx(1, abs=1e-4)
    with pytest.raises(ExplanationError, match="channels is 0"):
        ablation_cam(scored, images, TARGETS[:1], channels=0)
