"""Which parts of a model learn: the head alone, the last stages of the backbone, or everything."""

from __future__ import annotations

import keras

from breastcls.errors import ModelError
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.keras_internals import flatten_layers
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import find_backbone


def list_stages(model: keras.Model) -> tuple[tuple[str, ...], ...]:
    """Names of the layers of each stage of the backbone, from the output down.

    The last tuple holds what lies below the lowest stage of the registry, the stem.

    Raises:
        ModelError: If the model has no nested backbone, or its card names no backbone of the registry.
    """
    names = [layer.name for layer in find_backbone(model).layers]
    end, stages = len(names), []
    for start in _starts(model, names):
        stages.append(tuple(names[start:end]))
        end = start
    return (*stages, tuple(names[:end]))


def set_trainable(model: keras.Model, depth: str | int, *, batch_norm: str = "auto") -> int:
    """Choose which weights of a model learn. Compile the model afterwards, as Keras asks after such a change.

    Batch normalisation that does not learn uses its stored mean and variance, also while the rest is training: that is
    what `trainable=False` means for this layer in Keras. A pretrained backbone should keep them so, because a few
    batches of a few hundred images spoil what a million images gave. A backbone that starts from random weights has
    nothing to keep and has to learn them.

    Args:
        model: A model from `build_model`, or one with a nested backbone.
        depth: `"head"`: the head alone. `"last-stage"`: also the last stage of the backbone. A number n: its last n
            stages (0 is `"head"`). `"all"`: the whole backbone.
        batch_norm: `"frozen"`: the backbone's batch normalisation does not learn. `"train"`: it learns where the layers
            around it do. `"auto"`: frozen if the model's card says that it started from pretrained weights or the model
            has no card, else trained. The head's own always learns.

    Returns:
        The number of parameters that learn.

    Raises:
        ModelError: If an argument is not one of these, the backbone has fewer stages, or the model no nested backbone.

    Example:
        >>> from breastcls.models.building import build_model
        >>> model = build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> set_trainable(model, "head")
        514
    """
    if batch_norm not in ("auto", "frozen", "train"):
        raise ModelError(f"batch_norm={batch_norm!r}: expected 'auto', 'frozen' or 'train'.")
    backbone = find_backbone(model)
    start = _first_trainable(model, backbone, depth)
    card = get_card(model)
    pretrained = card is None or card.weights is not None
    freeze_norm = batch_norm == "frozen" or (batch_norm == "auto" and pretrained)

    # Setting a model sets all that is in it, so go from the outside in.
    model.trainable = True
    backbone.trainable = start < len(backbone.layers)
    for position, layer in enumerate(backbone.layers):
        # Each part of a layer made of layers too, be it a model or not: on TensorFlow, Keras passes over a layer that
        # is told to learn and does so already, and with it over what was frozen inside.
        for part in flatten_layers(layer):
            norm = isinstance(part, keras.layers.BatchNormalization)
            part.trainable = position >= start and not (norm and freeze_norm)
    return sum(int(keras.ops.size(weight)) for weight in model.trainable_weights)


def _first_trainable(model: keras.Model, backbone: keras.Model, depth: str | int) -> int:
    """Position of the first layer of the backbone that learns."""
    if depth == "all":
        return 0
    if depth == "head":
        return len(backbone.layers)
    count = 1 if depth == "last-stage" else depth
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise ModelError(f"depth={depth!r}: expected 'head', 'last-stage', 'all' or a number of stages.")
    if count == 0:
        return len(backbone.layers)
    starts = _starts(model, [layer.name for layer in backbone.layers])
    if count > len(starts):
        raise ModelError(
            f"depth={depth!r}: the backbone {backbone.name!r} has {len(starts)} stages. Ask for fewer, or for 'all'."
        )
    return starts[count - 1]


def _starts(model: keras.Model, names: list[str]) -> list[int]:
    card = get_card(model)
    if card is None or card.backbone is None or card.backbone not in BACKBONES:
        raise ModelError(
            f"The model {model.name!r} has no card that names a registered backbone, so its stages are not known. Use "
            "'head' or 'all'."
        )
    starts = []
    for stage in BACKBONES[card.backbone].stages:
        exact = [position for position, name in enumerate(names) if name == stage]
        found = exact or [position for position, name in enumerate(names) if name.startswith(stage)]
        if not found:
            raise ModelError(f"The backbone {card.backbone!r} says that a stage begins with {stage!r}: no such layer.")
        starts.append(found[0])
    return starts
