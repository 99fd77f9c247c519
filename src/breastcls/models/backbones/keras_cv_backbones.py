"""Architectures of KerasCV, built from explicit arguments; KerasCV is imported when one of them is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from breastcls.models.backbones.backbone import NORM_MOMENTUM, Backbone

_RESNET_STAGES = ("v2_stack_3_", "v2_stack_2_", "v2_stack_1_", "v2_stack_0_")
_RESNET_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
# Channels and number of residual units of the four levels.
_CSPDARKNET = {
    "tiny": ((48, 96, 192, 384), (1, 3, 3, 1)),
    "s": ((64, 128, 256, 512), (1, 3, 3, 1)),
    "m": ((96, 192, 384, 768), (2, 6, 6, 2)),
    "l": ((128, 256, 512, 1024), (3, 9, 9, 3)),
    "xl": ((170, 340, 680, 1360), (4, 12, 12, 4)),
}
# Channels and number of transformer blocks of the four levels.
_MIT = {
    "b0": ((32, 64, 160, 256), (2, 2, 2, 2)),
    "b1": ((64, 128, 320, 512), (2, 2, 2, 2)),
    "b2": ((64, 128, 320, 512), (3, 4, 6, 3)),
    "b3": ((64, 128, 320, 512), (3, 4, 18, 3)),
    "b4": ((64, 128, 320, 512), (3, 8, 27, 3)),
    "b5": ((64, 128, 320, 512), (3, 6, 40, 3)),
}


def build_keras_cv(constructor: str, input_shape: tuple[int, int, int], name: str, **arguments: Any) -> Any:
    """Return a backbone of KerasCV, in which batch normalisation has the momentum of networks trained from scratch.

    Args:
        constructor: Name of the class in `keras_cv.models`.
        input_shape: (height, width, channels).
        name: Name of the model.
        **arguments: Arguments of the class. Presets and aliases are not used: they need the network.
    """
    # Importing KerasCV takes seconds and loads the package tensorflow-datasets.
    import keras
    import keras_cv

    from breastcls.models.keras_internals import flatten_layers

    model = getattr(keras_cv.models, constructor)(
        include_rescaling=False, input_shape=input_shape, name=name, **arguments
    )
    for layer in flatten_layers(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = NORM_MOMENTUM
    return model


def as_keras_model(model: Any) -> Any:
    """Return a backbone of KerasCV, all of whose layers are of Keras, as a model that is saved without KerasCV."""
    import keras

    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def _build_resnet(input_shape: tuple[int, int, int], *, constructor: str, name: str, blocks: Sequence[int]) -> Any:
    return as_keras_model(
        build_keras_cv(
            constructor,
            input_shape,
            name,
            stackwise_filters=[64, 128, 256, 512],
            stackwise_blocks=list(blocks),
            stackwise_strides=[1, 2, 2, 2],
            block_type="basic_block",
        )
    )


def _build_cspdarknet(input_shape: tuple[int, int, int], *, name: str, size: str) -> Any:
    if input_shape[0] % 2 or input_shape[1] % 2:
        raise ValueError("the first layer of CSPDarkNet takes images of even height and width.")
    channels, depths = _CSPDARKNET[size]
    return build_keras_cv(
        "CSPDarkNetBackbone", input_shape, name, stackwise_channels=list(channels), stackwise_depth=list(depths)
    )


def _build_mit(input_shape: tuple[int, int, int], *, name: str, size: str) -> Any:
    height, width, _ = input_shape
    # The patches of the last level, which are 32 pixels apart, must be more than one.
    if height != width or height % 32 or height < 64:
        raise ValueError("MiT of KerasCV takes square images whose side is a multiple of 32.")
    channels, depths = _MIT[size]
    return build_keras_cv("MiTBackbone", input_shape, name, embedding_dims=list(channels), depths=list(depths))


def _mit_stages(depths: Sequence[int]) -> tuple[str, ...]:
    """Return the first layer of each transformer block, from the output to the input.

    The first block of a level begins with the embedding of its patches; that of the first level belongs to the stem.
    """
    names = []
    for level, depth in reversed(list(enumerate(depths))):
        names += [f"hierarchical_encoder_{level}_{block}" for block in reversed(range(1, depth))]
        names.append(f"patch_and_embed_{level}" if level else "hierarchical_encoder_0_0")
    return tuple(names)


_FROM_SCRATCH: Mapping[str, Any] = {
    "scaling": "0-1",
    "licence": "no weights available here",
    "origin": "KerasCV, trained from scratch: https://github.com/keras-team/keras-cv",
}

KERAS_CV: tuple[Backbone, ...] = (
    *(
        Backbone(
            name=f"resnet{depth}{version}",
            factory=partial(_build_resnet, constructor=constructor, name=f"resnet{depth}{version}", blocks=blocks),
            stages=_RESNET_STAGES,
            paper=paper,
            **_FROM_SCRATCH,
        )
        for version, constructor, paper in (
            ("", "ResNetBackbone", "https://doi.org/10.1109/CVPR.2016.90"),
            ("v2", "ResNetV2Backbone", "https://doi.org/10.1007/978-3-319-46493-0_38"),
        )
        for depth, blocks in _RESNET_BLOCKS.items()
    ),
    *(
        Backbone(
            name=f"cspdarknet-{size}",
            factory=partial(_build_cspdarknet, name=f"cspdarknet_{size}", size=size),
            stages=("dark5_", "dark4_", "dark3_", "dark2_"),
            paper="https://doi.org/10.48550/arXiv.1911.11929",
            **_FROM_SCRATCH,
        )
        for size in _CSPDARKNET
    ),
    *(
        Backbone(
            name=f"mit-{size}",
            factory=partial(_build_mit, name=f"mit_{size}", size=size),
            minimum_size=(64, 64),
            stages=_mit_stages(depths),
            paper="https://doi.org/10.48550/arXiv.2105.15203",
            **_FROM_SCRATCH,
        )
        for size, (_, depths) in _MIT.items()
    ),
)
