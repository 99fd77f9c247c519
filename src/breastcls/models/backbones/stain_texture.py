"""A texture classifier: channel means and standard deviations of the first layers of a small network."""

from __future__ import annotations

import os
from collections.abc import Sequence

import keras
import numpy as np

from breastcls.argument_checks import is_count
from breastcls.errors import ModelError
from breastcls.models.building import build_model
from breastcls.models.model_card import ModelCard, get_card, set_card
from breastcls.models.model_parts import find_backbone
from breastcls.models.spatial_moments import SpatialMoments
from breastcls.models.stain_separation import StainSeparation
from breastcls.models.vector_input import require_image_size

BLOCKS = (2, 3, 4)
"""The blocks of MobileNet whose outputs are summarised."""

_ALPHA = 0.25
_LAST_BLOCK = 13


def build_stain_texture(
    *,
    classes: Sequence[str],
    image_size: int | tuple[int, int] = (224, 224),
    weights: str | os.PathLike[str] | None = "imagenet",
    blocks: Sequence[int] = BLOCKS,
    seed: int | None = 0,
) -> keras.Model:
    """Build a classifier of H&E texture with a linear head, for `fit(..., fine_tune=False, frozen_head="lbfgs")`.

    `StainSeparation` separates the image into a greyscale image of the haematoxylin and one of the eosin, both of the
    same strength for every slide, and an image of both stains in reference colours. These three images are passed
    through the first blocks of MobileNet v1 0.25 (Howard et al. 2017, DOI 10.48550/arXiv.1704.04861).
    `SpatialMoments` computes the mean and the standard deviation over the image of every channel of the chosen blocks:
    texture features without position and colour. A dense layer and a softmax follow. The layers before the dense layer
    are not trainable, and `fit` does not change them unless it is passed `fine_tune="all"`.

    Random filters are texture features too (Saxe et al. 2011, "On random weights and unsupervised feature learning"):
    `weights=None` needs no file and gives a weaker classifier.

    Args:
        classes: Class names in the order of the outputs, the positive class last.
        image_size: (height, width) of the images, or one number for a square.
        weights: `"imagenet"`, the path of a weight file of MobileNet 0.25 without its classifier, or None for random
            filters.
        blocks: The blocks whose channels are summarised, from 1 to 13. Later blocks are not part of the model.
        seed: Seed of the random filters and of the initial weights of the head.

    Returns:
        A `keras.Model` with a `ModelCard`, from RGB images with values 0..255 to probabilities float32 (n, classes).

    Raises:
        ModelError: If an argument has a wrong type or value.
        WeightsError: If the weights cannot be found or loaded.

    Example:
        >>> model = build_stain_texture(classes=("benign", "malignant"), image_size=64, weights=None)
        >>> model.output_shape, model.get_layer("stain_texture").output_shape
        ((None, 2), (None, 768))
    """
    chosen = _check_blocks(blocks)
    source = build_model(
        "mobilenet", classes=classes, image_size=image_size, weights=weights, alpha=_ALPHA, head="linear", seed=seed
    )
    card = get_card(source)
    assert card is not None
    size = require_image_size(card, "The stain texture")
    network = find_backbone(source)
    if weights is None:
        _draw_filters(network, seed)
    maps = [network.get_layer(f"conv_pw_{block}_relu").output for block in chosen]
    pooled = [SpatialMoments(name=f"moments_{block}")(map_) for block, map_ in zip(chosen, maps, strict=True)]
    joined = pooled[0] if len(pooled) == 1 else keras.layers.Concatenate(name="moments")(pooled)
    filters = keras.Model(network.inputs[0], joined, name="filters")

    image = keras.Input((*size, 3), dtype="float32", name="image")
    stains = StainSeparation(colours=True, name="stains")(image)
    scaled = keras.layers.Rescaling(1 / 127.5, -1.0, dtype="float32", name="scaling")(stains)
    features_of = [filters(scaled[..., :3])]
    for channel, name in ((3, "haematoxylin"), (4, "eosin")):
        # The filters have three input channels: the greyscale image is repeated.
        grey = keras.layers.Concatenate(name=name)([scaled[..., channel : channel + 1]] * 3)
        features_of.append(filters(grey))
    features = keras.layers.Concatenate(name="texture", dtype="float32")(features_of)
    backbone = keras.Model(image, features, name="stain_texture")
    backbone.trainable = False

    inputs = keras.Input((*size, 3), dtype="float32", name="image")
    initial = keras.initializers.GlorotUniform(seed=seed)
    logits = keras.layers.Dense(len(card.classes), dtype="float32", kernel_initializer=initial, name="logits")
    outputs = keras.layers.Softmax(dtype="float32", name="probabilities")(logits(backbone(inputs)))
    model = keras.Model(inputs, outputs, name="breastcls_stain_texture")
    provenance = {**card.provenance, "architecture": {"name": "stain-texture", "blocks": list(chosen)}}
    set_card(
        model,
        ModelCard(
            classes=card.classes,
            image_size=card.image_size,
            weights=card.weights,
            head="linear",
            seed=seed,
            provenance=provenance,
        ),
    )
    return model


def _draw_filters(network: keras.Model, seed: int | None) -> None:
    """Draw random filters that preserve the variance (He et al. 2015, DOI 10.1109/ICCV.2015.123).

    With the default initializer of Keras the output of the fourth block is smaller than the input by a factor of a
    million.
    """
    generator = np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
            (kernel,) = layer.get_weights()
            rows, columns, channels, _ = kernel.shape
            inputs = rows * columns * (1 if isinstance(layer, keras.layers.DepthwiseConv2D) else channels)
            layer.set_weights([generator.normal(0.0, np.sqrt(2.0 / inputs), kernel.shape).astype(np.float32)])


def _check_blocks(blocks: Sequence[int]) -> tuple[int, ...]:
    chosen = tuple(blocks) if isinstance(blocks, (list, tuple)) else ()
    right = all(is_count(block, most=_LAST_BLOCK) for block in chosen)
    if not chosen or not right or len(set(chosen)) < len(chosen):
        raise ModelError(
            f"blocks={blocks!r}: expected at least one integer from 1 to {_LAST_BLOCK}, without repetition."
        )
    return tuple(sorted(chosen))
