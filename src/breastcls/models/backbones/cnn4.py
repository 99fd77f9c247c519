"""A four-layer convolutional network, small enough to be trained from scratch on a few thousand images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from breastcls.models.backbones.backbone import NORM_MOMENTUM, Backbone


def build_cnn4(input_shape: tuple[int, int, int], filters: Sequence[int] = (32, 64, 128, 256)) -> Any:
    """Build four blocks of 3x3 convolution, batch normalisation, ReLU and 2x2 max pooling.

    Args:
        input_shape: (height, width, channels); images scaled to 0..1.
        filters: Number of filters of each of the four convolutions.

    Returns:
        A `keras.Model` to feature maps (n, height // 16, width // 16, filters[3]).
    """
    import keras
    from keras import layers

    if len(filters) != 4:
        raise ValueError(f"filters={filters!r}: expected four numbers, one per convolution; found {len(filters)}.")
    inputs = keras.Input(input_shape)
    x = inputs
    for block, width in enumerate(filters, start=1):
        # Batch normalisation has an offset of its own, so a bias would have no effect.
        x = layers.Conv2D(int(width), 3, padding="same", use_bias=False, name=f"conv{block}")(x)
        x = layers.BatchNormalization(momentum=NORM_MOMENTUM, name=f"conv{block}_bn")(x)
        x = layers.ReLU(name=f"conv{block}_relu")(x)
        x = layers.MaxPooling2D(2, name=f"conv{block}_pool")(x)
    return keras.Model(inputs, x, name="cnn4")


CNN4 = Backbone(
    name="cnn4",
    factory=build_cnn4,
    image_size=(224, 224),
    minimum_size=(16, 16),
    scaling="0-1",
    options=("filters",),
    last_convolution="conv4_relu",
    stages=("conv4", "conv3", "conv2"),
    licence="no published weights",
    origin="architecture of this package, trained from scratch",
)
