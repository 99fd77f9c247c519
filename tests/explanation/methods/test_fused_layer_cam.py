import cv2
import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.explain import explain
from breastcls.explanation.methods.fused_layer_cam import find_stages, fused_layer_cam
from breastcls.explanation.methods.layer_cam import LAYER_CAM
from breastcls.explanation.scored_model import ScoredModel
from support.model_kinds import MODEL_KINDS

TARGETS = np.array([0, 2], np.int64)


@pytest.fixture(scope="module")
def staged():
    keras.utils.set_random_seed(1)
    value = inputs = keras.Input((16, 16, 3))
    for number, stride in enumerate((2, 1, 2, 1)):
        value = keras.layers.Conv2D(4, 3, stride, padding="same", activation="relu", name=f"conv{number}")(value)
    return keras.Model(inputs, keras.layers.Dense(3, "softmax")(keras.layers.GlobalAveragePooling2D()(value)))


def test_stages_end_where_the_resolution_changes(staged, noise_images):
    stages = find_stages(ScoredModel(staged, noise_images), (16, 16))
    assert [(item.path, item.shape[0]) for item in stages] == [("conv1", 8), ("conv3", 4)]


def test_padding_in_front_of_a_strided_convolution_is_no_stage(noise_images):
    """As in MobileNet and EfficientNet: the padded map has a row and a column that are not in the image."""
    value = inputs = keras.Input((16, 16, 3))
    for number in range(3):
        value = keras.layers.ZeroPadding2D(((0, 1), (0, 1)))(value)
        value = keras.layers.Conv2D(4, 3, 2, activation="relu", name=f"conv{number}")(value)
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(keras.layers.GlobalAveragePooling2D()(value)))
    stages = find_stages(ScoredModel(model, noise_images), (16, 16))
    assert [(item.path, item.shape[0]) for item in stages] == [("conv0", 8), ("conv1", 4), ("conv2", 2)]


@pytest.mark.parametrize("kind", ["transformer", "own transformer"])
def test_attention_weights_are_no_stage(kind):
    pixels = np.zeros((1, 32, 32, 3), np.float32)
    stages = find_stages(ScoredModel(MODEL_KINDS[kind](), pixels), (32, 32))
    assert [item.shape for item in stages] == [(4, 4, 8)]


def test_it_is_the_largest_of_the_scaled_maps(staged, noise_images):
    pixels = noise_images[:2].astype(np.float32)
    scored = ScoredModel(staged, pixels)
    maps = [np.maximum(LAYER_CAM.compute(scored, pixels, TARGETS, layer=name).values, 0) for name in ("conv1", "conv3")]
    maps = [value / value.max(axis=(1, 2), keepdims=True) for value in maps]
    enlarged = np.stack([cv2.resize(value, (8, 8)) for value in maps[1]])
    expected = np.maximum(np.tanh(2 * maps[0]), enlarged)
    np.testing.assert_allclose(fused_layer_cam(scored, pixels, TARGETS).values, expected, rtol=1e-4, atol=1e-5)


def test_no_stage_is_refused(staged, noise_images):
    with pytest.raises(ExplanationError, match="stages is 0"):
        explain(staged, noise_images, "fused-layer-cam", stages=0)
