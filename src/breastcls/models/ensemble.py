"""Ensembles: several models joined to one Keras model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras

from breastcls.argument_checks import check_choice
from breastcls.errors import ModelError
from breastcls.models.ensemble_checks import (
    check_compatible,
    check_member,
    check_no_shared_weights,
    check_same_inputs,
    merge_training_records,
    normalise_weights,
)
from breastcls.models.log_probabilities import SMALLEST_PROBABILITY
from breastcls.models.model_card import ModelCard, get_card, set_card
from breastcls.models.persistence import load_model
from breastcls.models.vector_input import require_image_size

Average = Literal["probabilities", "logits"]
AVERAGES = ("probabilities", "logits")


@dataclass(frozen=True, eq=False)
class Member:
    """One model of an ensemble.

    Attributes:
        model: The member with its card. It shares its weights with the ensemble.
        weight: Its weight in the mean. The weights sum to 1.
        resize: A model that resizes the images of the ensemble to the input size of the member, or None if both are
            equal.
        probabilities: Symbolic tensor (n, classes) inside the ensemble: the probabilities of the member, after its
            temperature was applied.
    """

    model: keras.Model
    weight: float
    resize: keras.Model | None
    probabilities: Any


def build_ensemble(
    models: Sequence[keras.Model | str | os.PathLike[str]],
    *,
    average: Average = "probabilities",
    weights: Sequence[float] | None = None,
) -> keras.Model:
    """Join models to one model whose probabilities are the mean of those of its members.

    The result is a functional Keras model that consists of layers of Keras. It can be saved, evaluated, explained and
    calibrated like any other model. Its input has the size of its largest member; for members of another size the
    images are resized inside the model (bilinear, with antialiasing, which is close to but not identical to the
    resizing in the training of the member). Each member keeps its own input scaling, and a temperature in its card
    becomes part of the graph. The thresholds of the members are not used: choose one for the ensemble.

    The members share their weights with the ensemble, so later training changes both.

    Args:
        models: Two or more models with cards, or paths of `.keras` files. They must have the same classes, the same
            resize mode, and the same stain normalizer or none.
        average: `"probabilities"`: the weighted mean of the probabilities. `"logits"`: the softmax of the weighted mean
            of the logits, that is, the normalised geometric mean of the probabilities.
        weights: The weight of each member, 0 or more. None means equal weights.

    Returns:
        A `keras.Model` with a card. Its `provenance` has the entries `ensemble` (average and weights), `members` (their
        cards) and `training` (the cases and slides used in the training of any member), so that `evaluate` detects
        leakage into any member.

    Raises:
        ModelError: If the models cannot be joined, or an argument has a wrong type or value.

    Example:
        >>> from breastcls.models.building import build_model
        >>> members = [build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=s) for s in (1, 2)]
        >>> model = build_ensemble(members, average="logits")
        >>> model.output_shape, get_card(model).provenance["ensemble"]["weights"]
        ((None, 2), [0.5, 0.5])
    """
    check_choice("average", average, AVERAGES, error=ModelError)
    if isinstance(models, (str, os.PathLike)) or len(models) < 2:
        raise ModelError("`models` must be a sequence of at least two models, or paths of '.keras' files.")
    opened: list[keras.Model] = [
        load_model(Path(item)) if isinstance(item, (str, os.PathLike)) else item for item in models
    ]
    cards = [check_member(number, model) for number, model in enumerate(opened, start=1)]
    check_no_shared_weights(opened)
    of_vectors = check_same_inputs(opened)
    sizes = [(1, 1) if of_vectors else require_image_size(card, "An ensemble") for card in cards]
    size = max(sizes, key=lambda sides: sides[0] * sides[1])
    resize = check_compatible(cards, size)
    shares = normalise_weights(weights, len(opened))

    shape, name = ((of_vectors,), "vector") if of_vectors else ((*size, 3), "image")
    inputs = keras.Input(shape, dtype="float32", name=name)
    terms = []
    for number, (model, card, own, share) in enumerate(zip(opened, cards, sizes, shares, strict=True), start=1):
        images = inputs
        if own != size:
            # The layer Resizing has the default `training=True`, which Keras passes on to all following layers if the
            # model is called without this argument: batch normalisation and dropout would be in training mode.
            images = keras.ops.image.resize(inputs, own, interpolation="bilinear", antialias=True)
            # float32, because in bfloat16 251.3 and 251.9 are the same number.
            images = keras.layers.Identity(dtype="float32", name=f"images_{number}")(images)
        # A unique name, because two models of `build_model` have the same name.
        nested = keras.Model(model.inputs[0], model.outputs[0], name=f"member_{number}")
        outputs = nested(images)
        if card.temperature is not None:
            logits = keras.layers.Rescaling(1 / card.temperature, dtype="float32", name=f"temperature_{number}")
            outputs = keras.layers.Softmax(dtype="float32")(logits(_log(outputs)))
        outputs = keras.layers.Identity(dtype="float32", name=f"probabilities_{number}")(outputs)
        term = outputs if average == "probabilities" else _log(outputs)
        terms.append(keras.layers.Rescaling(share, dtype="float32", name=f"weight_{number}")(term))
    if average == "probabilities":
        result = keras.layers.Add(dtype="float32", name="probabilities")(terms)
    else:
        mean = keras.layers.Add(dtype="float32", name="logits")(terms)
        result = keras.layers.Softmax(dtype="float32", name="probabilities")(mean)
    ensemble = keras.Model(inputs, result, name="breastcls_ensemble")
    provenance = {
        "ensemble": {"average": average, "weights": shares},
        "members": [card.to_dict() for card in cards],
        **merge_training_records(cards),
    }
    card = ModelCard(
        classes=cards[0].classes,
        image_size=None if of_vectors else size,
        resize=resize,
        stain=cards[0].stain,
        provenance=provenance,
    )
    set_card(ensemble, card)
    return ensemble


def list_members(model: keras.Model) -> tuple[Member, ...]:
    """Return the members of an ensemble with their cards, or an empty tuple for any other model.

    Args:
        model: A Keras model.

    Example:
        >>> from breastcls.models.building import build_model
        >>> pair = [build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=s) for s in (1, 2)]
        >>> [member.weight for member in list_members(build_ensemble(pair, weights=[3, 1]))], list_members(pair[0])
        ([0.75, 0.25], ())
    """
    card = get_card(model)
    about = None if card is None else card.provenance.get("ensemble")
    if card is None or not isinstance(about, Mapping) or not isinstance(model, keras.Model):
        return ()
    layers = {layer.name: layer for layer in model.layers}
    found = []
    for number, (values, weight) in enumerate(zip(card.provenance["members"], about["weights"], strict=True), start=1):
        nested = layers[f"member_{number}"]
        member = keras.Model(nested.inputs[0], nested.outputs[0], name=nested.name)
        set_card(member, ModelCard.from_json(json.dumps(values)))
        images = layers.get(f"images_{number}")
        resize = None if images is None else keras.Model(model.inputs[0], images.output)
        found.append(Member(member, float(weight), resize, layers[f"probabilities_{number}"].output))
    return tuple(found)


def _log(probabilities: Any) -> Any:
    return keras.ops.log(keras.ops.maximum(probabilities, SMALLEST_PROBABILITY))
