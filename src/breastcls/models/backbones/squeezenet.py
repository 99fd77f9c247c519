"""SqueezeNet 1.1, whose file of ImageNet weights has three megabytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breastcls.models.backbones.backbone import Backbone, WeightsFile

# (number of the module, squeezed width, expanded width); a module in POOLED is followed by max pooling.
_MODULES = (
    (2, 16, 64),
    (3, 16, 64),
    (4, 32, 128),
    (5, 32, 128),
    (6, 48, 192),
    (7, 48, 192),
    (8, 64, 256),
    (9, 64, 256),
)
_POOLED = (3, 5)


def build_squeezenet(input_shape: tuple[int, int, int]) -> Any:
    """Build SqueezeNet 1.1 without its classifier (Iandola et al. 2016, DOI 10.48550/arXiv.1602.07360).

    The layers have the order of the published weight file of `keras-squeezenet`, which is loaded by position.

    Args:
        input_shape: (height, width, channels); images in BGR order minus the ImageNet mean.

    Returns:
        A `keras.Model` to feature maps (n, rows, columns, 512), (n, 13, 13, 512) for images of 224x224.
    """
    import keras
    from keras import layers

    inputs = keras.Input(input_shape)
    x = layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(inputs)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for module, squeezed, expanded in _MODULES:
        name = f"fire{module}"
        x = layers.Conv2D(squeezed, 1, activation="relu", name=f"{name}_squeeze1x1")(x)
        left = layers.Conv2D(expanded, 1, activation="relu", name=f"{name}_expand1x1")(x)
        right = layers.Conv2D(expanded, 3, padding="same", activation="relu", name=f"{name}_expand3x3")(x)
        x = layers.Concatenate(name=f"{name}_concat")([left, right])
        if module in _POOLED:
            x = layers.MaxPooling2D(3, strides=2, name=f"pool{module}")(x)
    return keras.Model(inputs, x, name="squeezenet")


def _imagenet(image_size: tuple[int, int], options: Mapping[str, Any]) -> WeightsFile:
    name = "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return WeightsFile(
        name=name,
        url=f"https://github.com/rcmalli/keras-squeezenet/releases/download/v1.0/{name}",
        digest="17c944bfcc0e04c6661806fb3a994a4a",
    )


SQUEEZENET = Backbone(
    name="squeezenet",
    factory=build_squeezenet,
    image_size=(224, 224),
    scaling="caffe",
    last_convolution="fire9_concat",
    stages=("fire8_", "fire6_", "fire4_", "fire2_"),
    pretrained=_imagenet,
    licence="MIT (rcmalli/keras-squeezenet)",
    origin="https://github.com/rcmalli/keras-squeezenet, converted from https://github.com/forresti/SqueezeNet",
    paper="https://doi.org/10.48550/arXiv.1602.07360",
)
