"""CancerNet, a network of separable convolutions that is widely used for the IDC patches."""

from __future__ import annotations

from typing import Any

from breastcls.models.backbones.backbone import NORM_MOMENTUM, Backbone

_BLOCKS = ((32, 1), (64, 2), (128, 3))


def build_cancernet(input_shape: tuple[int, int, int]) -> Any:
    """Build the convolutional part of CancerNet: one, two and three separable convolutions of 32, 64 and 128 filters.

    Each convolution is followed by ReLU and then batch normalisation, and each block by 2x2 max pooling and dropout
    with a rate of 0.25. With the head `flatten-mlp`, the default of this backbone, it is the published network.

    Args:
        input_shape: (height, width, channels); images scaled to 0..1. Published for 48x48.

    Returns:
        A `keras.Model` to feature maps (n, height // 8, width // 8, 128).
    """
    import keras
    from keras import layers

    inputs = keras.Input(input_shape)
    x = inputs
    number = 0
    for block, (filters, repeats) in enumerate(_BLOCKS, start=1):
        for _ in range(repeats):
            number += 1
            x = layers.SeparableConv2D(filters, 3, padding="same", name=f"conv{number}")(x)
            x = layers.ReLU(name=f"conv{number}_relu")(x)
            x = layers.BatchNormalization(momentum=NORM_MOMENTUM, name=f"conv{number}_bn")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
        x = layers.Dropout(0.25, name=f"block{block}_dropout")(x)
    return keras.Model(inputs, x, name="cancernet")


CANCERNET = Backbone(
    name="cancernet",
    factory=build_cancernet,
    image_size=(48, 48),
    minimum_size=(8, 8),
    scaling="0-1",
    head="flatten-mlp",
    last_convolution="conv6_bn",
    stages=("conv4", "conv2"),
    licence="no published weights",
    origin="trained from scratch",
)
