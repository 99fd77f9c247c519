"""`build_model`: a Keras model from the name of a backbone and class names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from breastcls.errors import ModelError, WeightsError
from breastcls.files import hash_file
from breastcls.models.backbones.backbone import Backbone
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.backbones.pretrained_weights import find_imagenet_weights, find_weights_file, load_weights
from breastcls.models.build_checks import (
    check_backbone_options,
    check_data_format,
    check_head,
    check_seed,
    choose_dropout,
    choose_size,
)
from breastcls.models.embedding_model import EMBEDDINGS, build_embedding_model
from breastcls.models.forked_process import check_process
from breastcls.models.heads import apply_head
from breastcls.models.initial_seed import seed_layers
from breastcls.models.model_card import ModelCard, check_classes, set_card


def build_model(
    backbone: str,
    *,
    classes: Sequence[str],
    image_size: int | tuple[int, int] | None = None,
    weights: str | os.PathLike[str] | None = "default",
    head: str | None = None,
    dropout: float | None = None,
    seed: int | None = None,
    **backbone_options: Any,
) -> keras.Model:
    """Build a classifier: a functional Keras model from RGB images, or from vectors, to probabilities.

    The model takes RGB images (n, height, width, 3) of type uint8 or float32 with values 0..255; the input scaling of
    the backbone is part of the model. Its output is softmax probabilities, float32 (n, classes), also in mixed
    precision. Its layers are the input `image`, the scaling, the backbone as one nested model, the head with the dense
    layer `logits`, and `probabilities`. All of them are layers of Keras itself, and all are trainable; see
    `breastcls.models.set_trainable` to freeze some of them.

    With the name "embeddings" it takes vectors float32 (n, d) in place of images, such as those of
    `breastcls.features.load_embeddings`: `build_model("embeddings", classes=..., dimensions=d)`. `image_size` and
    `weights` do not apply to it.

    Args:
        backbone: A name of `list_backbones()`, or `"embeddings"`.
        classes: Class names in the order of the outputs, the positive class last, at least two.
        image_size: (height, width) of the images in pixels, or one number for a square. None takes the default of the
            backbone.
        weights: `"imagenet"` for ImageNet weights, which Keras downloads unless they are in its cache; the path of a
            weight file of the backbone without classification layers, or for a vision transformer the file of timm or
            transformers (`.safetensors`, `.bin`, `.pth`) or its folder; None for random weights. `"default"` is
            `"imagenet"` where such weights are published and None elsewhere (`cnn4`, `cancernet`); the published
            foundation models have no default, and the error states where to get their weights.
        head: `"linear"` (global average pooling, dropout, dense layer), `"mlp"` (global average pooling, a hidden layer
            of 256 units, dropout, dense layer) or `"flatten-mlp"` (flattening, a hidden layer of 256 units with batch
            normalisation, dropout, dense layer). None takes the default of the backbone: `"flatten-mlp"` for
            `cancernet`, else `"linear"`.
        dropout: Rate of the dropout in the head, from 0 to less than 1. None means 0.2 for `"linear"`, else 0.5.
        seed: Seed of all random initial weights and of all dropout layers; equal seeds give equal bits. The global
            random state of Python is set and restored, so threads must not build models with seeds at the same time.
            None uses the global random state, as Keras does.
        **backbone_options: Options of the backbone, for example `alpha=0.25` for `"mobilenet"`; `dimensions`, the
            number of components of a vector, for `"embeddings"`.

    Returns:
        A `keras.Model` with a `ModelCard` (see `breastcls.models.get_card`).

    Raises:
        RegistryError: If there is no such backbone; the message lists similar names.
        WeightsError: If the weights cannot be found, downloaded or loaded.
        ModelError: If another argument has a wrong type or value, or the process was forked after TensorFlow had
            started.

    Example:
        >>> model = build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> model.input_shape, model.output_shape
        ((None, 32, 32, 3), (None, 2))
        >>> build_model("embeddings", classes=("benign", "malignant"), dimensions=384).input_shape
        (None, 384)
    """
    check_process()
    if backbone == EMBEDDINGS:
        return build_embedding_model(classes, image_size, weights, head, dropout, seed, backbone_options)
    entry = BACKBONES[backbone]
    names = check_classes(classes)
    size = choose_size(entry, image_size)
    kind = entry.head if head is None else check_head(head)
    rate = choose_dropout(dropout, kind)
    seed = check_seed(seed)
    check_backbone_options(entry, backbone_options)
    check_data_format()
    file, label = _weights_file(entry, weights, size, backbone_options)

    with seed_layers(seed):
        features = _make_backbone(entry, size, backbone_options)
    if file is not None:
        load_weights(entry, features, file)

    inputs = keras.Input((*size, 3), dtype="float32", name="image")
    # Another seed, so that the head does not depend on the number of random numbers drawn for the backbone.
    with seed_layers(seed if seed is None else seed + 1):
        maps = features(entry.input_scaling.scale_tensor(inputs))
        outputs = apply_head(maps, kind, classes=len(names), dropout=rate)
    model = keras.Model(inputs, outputs, name=f"breastcls_{backbone.replace('/', '_')}")
    card = ModelCard(
        classes=names,
        image_size=size,
        backbone=backbone,
        backbone_options=backbone_options,
        weights=label,
        head=kind,
        dropout=rate,
        seed=seed,
        provenance={} if file is None else {"weights_sha256": hash_file(file), **_terms(entry, label)},
    )
    set_card(model, card)
    return model


def _make_backbone(entry: Backbone, size: tuple[int, int], options: Mapping[str, Any]) -> Any:
    try:
        features = entry.factory((*size, 3), **options)
    # The factory of a registered backbone may raise any error.
    except Exception as error:
        raise ModelError(
            f"The backbone {entry.name!r} cannot be built for image_size={size} with options {dict(options)!r}: {error}"
        ) from error
    shape = getattr(features, "output_shape", None)
    if not isinstance(features, keras.Model) or not isinstance(shape, tuple) or len(shape) not in (2, 4):
        raise ModelError(
            f"The factory of the backbone {entry.name!r} must return a keras.Model with one output (n, rows, columns, "
            f"channels) or (n, channels); found {type(features).__name__} with output {shape!r}."
        )
    if len(shape) == 4 and 0 in shape[1:3]:
        raise ModelError(
            f"image_size={size} is too small for the backbone {entry.name!r}: its output has no positions."
        )
    return features


def _weights_file(
    entry: Backbone, weights: object, size: tuple[int, int], options: Mapping[str, Any]
) -> tuple[Path | None, str | None]:
    if weights == "default":
        if entry.obtain and entry.pretrained is None:
            raise WeightsError(
                f"The weights of {entry.name!r} are not downloaded. Get {entry.obtain} Or pass weights=None for random "
                "initial weights."
            )
        weights = None if entry.pretrained is None else "imagenet"
    if weights is None:
        return None, None
    if weights == "imagenet":
        return find_imagenet_weights(entry, size, options), "imagenet"
    if not isinstance(weights, (str, os.PathLike)):
        raise ModelError(f"weights={weights!r}: expected 'imagenet', a path or None.")
    path = Path(os.fspath(weights)).expanduser()
    return find_weights_file(entry, path), path.name


def _terms(entry: Backbone, label: str | None) -> dict[str, Any]:
    """Return the terms of weights that have restrictions, which the card keeps where the backbone is not registered."""
    if not entry.restriction or label == "imagenet":
        return {}
    return {"weights_terms": {"licence": entry.licence, "restriction": entry.restriction, "origin": entry.origin}}
