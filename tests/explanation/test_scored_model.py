import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.scored_model import ScoredModel
from support.explanation_fixtures import build_in_precision


def test_scores_do_not_depend_on_the_batch_size(small_model, noise_images):
    model = small_model()
    images = noise_images.astype(np.float32)
    whole = ScoredModel(model, images, batch_size=5).scores(images)
    np.testing.assert_allclose(ScoredModel(model, images, batch_size=2).scores(images), whole, rtol=1e-5)


def test_a_model_that_is_random_in_inference_is_refused(noise_images):
    class Noisy(keras.layers.Layer):
        def call(self, values):
            return values + keras.random.normal((1, 3))

    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, Noisy()(keras.layers.GlobalAveragePooling2D()(inputs)))
    with pytest.raises(ExplanationError, match="random in inference"):
        ScoredModel(model, noise_images)


def test_the_error_for_wrong_channels_names_the_input(noise_images):
    model = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(ExplanationError, match=r"its input is \(None, 16, 16, 1\)"):
        ScoredModel(model, noise_images)


def test_outputs_of_another_rank_are_refused(noise_images):
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(2, 3)])
    with pytest.raises(ExplanationError, match=r"expected \(n, classes\)"):
        ScoredModel(model, noise_images)


def test_nan_outputs_are_refused(small_model, noise_images):
    model = small_model()
    model.layers[-1].set_weights([weight * np.nan for weight in model.layers[-1].get_weights()])
    with pytest.raises(ExplanationError, match="NaN"):
        ScoredModel(model, noise_images)


def test_a_batch_size_of_zero_is_refused(small_model, noise_images):
    with pytest.raises(ExplanationError, match="batch_size is 0"):
        ScoredModel(small_model(), noise_images, batch_size=0)


def test_scores_and_features_are_float32_in_mixed_precision(noise_images):
    scored = ScoredModel(build_in_precision("mixed_bfloat16"), noise_images)
    assert scored.scores(noise_images.astype(np.float32)).dtype == np.float32
    assert scored.features(noise_images.astype(np.float32), scored.feature_map()).dtype == np.float32
