"""Freezing parts of a model: which stages of the backbone are trainable."""

from __future__ import annotations

import keras

from breastcls.argument_checks import check_choice, is_count
from breastcls.errors import ModelError
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.keras_internals import flatten_layers
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import find_backbone


def list_stages(model: keras.Model) -> tuple[tuple[str, ...], ...]:
    """Return the names of the layers of each stage of the backbone, from the output to the input.

    The last tuple has the layers before the first registered stage, the stem.

    Args:
        model: A model of `build_model`.

    Raises:
        ModelError: If the model has no nested backbone, or its card names no registered backbone.

    Example:
        >>> from breastcls.models.building import build_model
        >>> list_stages(build_model("cnn4", classes=("benign", "malignant"), image_size=32))[0][0]
        'conv4'
    """
    names = [layer.name for layer in find_backbone(model).layers]
    end, stages = len(names), []
    for start in _starts(model, names):
        stages.append(tuple(names[start:end]))
        end = start
    return (*stages, tuple(names[:end]))


def set_trainable(model: keras.Model, depth: str | int, *, batch_norm: str = "auto") -> int:
    """Set which weights of a model are trainable. Compile the model afterwards, as always after such a change in Keras.

    Frozen batch normalisation uses its stored mean and variance, also during training: this is the meaning of
    `trainable=False` for this layer in Keras. In a pretrained backbone it should be frozen, because the statistics of a
    few hundred images are worse than those of a million. In a backbone with random initial weights it must be trained.

    Args:
        model: A model of `build_model`, or another one with a nested backbone.
        depth: `"head"`: only the head is trainable. `"last-stage"`: also the last stage of the backbone. An integer n:
            also its last n stages (0 equals `"head"`). `"all"`: also the whole backbone.
        batch_norm: `"frozen"`: the batch normalisation of the backbone is frozen. `"train"`: it is trainable where the
            layers around it are. `"auto"`: frozen if the model has no card or its card names pretrained weights, else
            trainable. Batch normalisation in the head is always trainable.

    Returns:
        The number of trainable parameters.

    Raises:
        ModelError: If an argument has another value, the backbone has fewer stages, or the model has no nested
            backbone.

    Example:
        >>> from breastcls.models.building import build_model
        >>> model = build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> set_trainable(model, "head")
        514
    """
    check_choice("batch_norm", batch_norm, ("auto", "frozen", "train"), error=ModelError)
    backbone = find_backbone(model)
    start = _first_trainable(model, backbone, depth)
    card = get_card(model)
    pretrained = card is None or card.weights is not None
    freeze_norm = batch_norm == "frozen" or (batch_norm == "auto" and pretrained)

    # Setting `trainable` of a model sets it for all layers inside, so the order is from the outside in.
    model.trainable = True
    backbone.trainable = start < len(backbone.layers)
    for position, layer in enumerate(backbone.layers):
        # Also the layers inside of a layer: with TensorFlow, setting `trainable=True` of a layer that is trainable
        # already has no effect on frozen layers inside of it.
        for part in flatten_layers(layer):
            norm = isinstance(part, keras.layers.BatchNormalization)
            part.trainable = position >= start and not (norm and freeze_norm)
    return sum(int(keras.ops.size(weight)) for weight in model.trainable_weights)


def _first_trainable(model: keras.Model, backbone: keras.Model, depth: str | int) -> int:
    """Return the position of the first trainable layer of the backbone."""
    if depth == "all":
        return 0
    if depth == "head":
        return len(backbone.layers)
    count = 1 if depth == "last-stage" else depth
    if not is_count(count, 0):
        raise ModelError(f"depth={depth!r}: expected 'head', 'last-stage', 'all' or an integer of 0 or more.")
    if count == 0:
        return len(backbone.layers)
    starts = _starts(model, [layer.name for layer in backbone.layers])
    if count > len(starts):
        raise ModelError(
            f"depth={depth!r}: the backbone {backbone.name!r} has {len(starts)} stages. Pass fewer, or 'all'."
        )
    return starts[count - 1]


def _starts(model: keras.Model, names: list[str]) -> list[int]:
    card = get_card(model)
    if card is None or card.backbone is None or card.backbone not in BACKBONES:
        raise ModelError(
            f"The model {model.name!r} has no card that names a registered backbone, so its stages are unknown. Pass "
            "depth='head' or depth='all'."
        )
    starts = []
    for stage in BACKBONES[card.backbone].stages:
        exact = [position for position, name in enumerate(names) if name == stage]
        found = exact or [position for position, name in enumerate(names) if name.startswith(stage)]
        if not found:
            raise ModelError(f"The backbone {card.backbone!r} has no layer {stage!r}, with which a stage should begin.")
        starts.append(found[0])
    return starts
