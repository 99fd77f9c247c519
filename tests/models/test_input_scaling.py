import keras
import numpy as np
import pytest

from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.input_scaling import INPUT_SCALINGS

FAMILIES = {
    "xception": "xception",
    "vgg16": "vgg16",
    "vgg19": "vgg19",
    "resnet50": "resnet",
    "resnet152": "resnet",
    "resnet50v2": "resnet_v2",
    "inceptionv3": "inception_v3",
    "inceptionresnetv2": "inception_resnet_v2",
    "mobilenet": "mobilenet",
    "mobilenetv2": "mobilenet_v2",
    "mobilenetv3small": "mobilenet_v3",
    "densenet121": "densenet",
    "nasnetmobile": "nasnet",
    "efficientnetb0": "efficientnet",
    "efficientnetv2s": "efficientnet_v2",
    "convnexttiny": "convnext",
}


def scaled(images, scaling):
    inputs = keras.Input(images.shape[1:])
    return np.asarray(keras.Model(inputs, INPUT_SCALINGS[scaling].scale_tensor(inputs))(images))


@pytest.mark.parametrize(("name", "module"), FAMILIES.items())
def test_scaling_equals_preprocess_input_of_the_family(name, module):
    images = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype("float32")
    expected = getattr(keras.applications, module).preprocess_input(images.copy())
    np.testing.assert_allclose(scaled(images, BACKBONES[name].scaling), expected, rtol=1e-5, atol=1e-5)


def test_scaling_by_255_gives_to_0_to_1():
    images = np.array([0, 51, 255], dtype="float32").reshape(1, 1, 1, 3)
    np.testing.assert_allclose(scaled(images, "0-1").ravel(), [0, 0.2, 1], rtol=1e-6)


def test_scaling_is_float32_in_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        images = np.full((1, 2, 2, 3), 251.3, dtype="float32")
        assert scaled(images, "caffe").dtype == np.float32
        np.testing.assert_allclose(scaled(images, "caffe")[0, 0, 0, 0], 251.3 - 103.939, rtol=1e-6)
    finally:
        keras.config.set_dtype_policy(policy)
