"""Ensembles: several models as one, which is saved, loaded, calibrated and explained like any other."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras

from breastcls.errors import ModelError
from breastcls.models.log_probabilities import SMALLEST_PROBABILITY
from breastcls.models.model_card import ModelCard, get_card, set_card
from breastcls.models.persistence import load_model
from breastcls.models.training_cases import UNITS, list_seen_names, list_trained_names

Average = Literal["probabilities", "logits"]
AVERAGES = ("probabilities", "logits")


@dataclass(frozen=True, eq=False)
class Member:
    """One model of an ensemble.

    Attributes:
        model: The member with its card; it shares its weights with the ensemble.
        weight: Its share in the average; the shares add up to 1.
        resize: Model that brings the ensemble's images to the member's size, or None where they have it.
        probabilities: Symbolic tensor (n, classes) inside the ensemble: the member's probabilities, after its
            temperature.
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
    """Join models into one whose probabilities are the mean of theirs.

    The result is an ordinary functional Keras model over layers of plain Keras. `predict`, `evaluate`, `explain`,
    `save_model`, `store_calibration` and `store_threshold` take it like any other. It takes images of the size of its
    largest member; a member of another size gets its images by resizing inside (bilinear and antialiased,
    which is near to, but not bit for bit, what the member saw in training). Each member keeps its own input scaling,
    and a temperature in its card becomes part of the graph. A member's threshold is not taken over: choose one for
    the ensemble.

    The members share their weights with the ensemble: what is trained later changes both.

    Args:
        models: Two or more models with cards, or paths of `.keras` files: with the same classes, the same way of
            resizing, and the same stain normalizer, or all without.
        average: `"probabilities"`: their weighted mean. `"logits"`: the softmax of the weighted mean of the logits,
            that is, the normalised geometric mean of the probabilities.
        weights: How much each counts, 0 or more; equally when None.

    Returns:
        A `keras.Model` with a card: `provenance` holds `ensemble` (average and weights), `members` (their cards) and,
        in `training`, the cases and slides that any of them has seen, so that `evaluate` finds a leak into any member.

    Raises:
        ModelError: If the models do not fit together, or an argument is not what it should be.

    Example:
        >>> from breastcls.models.building import build_model
        >>> members = [build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=s) for s in (1, 2)]
        >>> model = build_ensemble(members, average="logits")
        >>> model.output_shape, get_card(model).provenance["ensemble"]["weights"]
        ((None, 2), [0.5, 0.5])
    """
    if average not in AVERAGES:
        raise ModelError(f"average={average!r}: expected {' or '.join(map(repr, AVERAGES))}.")
    if isinstance(models, (str, os.PathLike)) or len(models) < 2:
        raise ModelError("An ensemble needs a sequence of two or more models, or of paths of '.keras' files.")
    opened = [load_model(Path(item)) if isinstance(item, (str, os.PathLike)) else item for item in models]
    cards = [_check_member(number, model) for number, model in enumerate(opened, start=1)]
    _check_apart(opened)
    size = max((card.image_size for card in cards), key=lambda sides: sides[0] * sides[1])
    resize = _check_together(cards, size)
    shares = _check_weights(weights, len(opened))

    inputs = keras.Input((*size, 3), dtype="float32", name="image")
    terms = []
    for number, (model, card, share) in enumerate(zip(opened, cards, shares, strict=True), start=1):
        images = inputs
        if card.image_size != size:
            # The layer Resizing has `training=True` as its default, and Keras then takes it for all layers that follow
            # where the model is called without the argument: batch normalisation and dropout would train.
            images = keras.ops.image.resize(inputs, card.image_size, interpolation="bilinear", antialias=True)
            # Float32, since bfloat16 cannot tell 251.3 from 251.9.
            images = keras.layers.Identity(dtype="float32", name=f"images_{number}")(images)
        # A name of its own, since two models of build_model have the same.
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
        **_seen_by_any(cards),
    }
    card = ModelCard(
        classes=cards[0].classes, image_size=size, resize=resize, stain=cards[0].stain, provenance=provenance
    )
    set_card(ensemble, card)
    return ensemble


def list_members(model: keras.Model) -> tuple[Member, ...]:
    """Return the members of an ensemble with their cards, or nothing for any other model.

    Example:
        >>> from breastcls.models.building import build_model
        >>> pair = [build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=s) for s in (1, 2)]
        >>> [member.weight for member in list_members(build_ensemble(pair, weights=[3, 1]))], list_members(pair[0])
        ([0.75, 0.25], ())
    """
    card = get_card(model)
    about = None if card is None else card.provenance.get("ensemble")
    if card is None or not isinstance(about, Mapping):
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


def _check_member(number: int, model: Any) -> ModelCard:
    """Return the card of a model that can be a member."""
    if not isinstance(model, keras.Model):
        raise ModelError(f"Member {number} is a {type(model).__name__}; expected a keras.Model or a path.")
    card = get_card(model)
    if card is None:
        raise ModelError(
            f"Member {number}, {model.name!r}, has no card, so its classes and stain are not known. Give it one: "
            "`load_model(path, classes=...)` or `set_card(model, ModelCard(...))`."
        )
    if len(getattr(model, "inputs", None) or ()) != 1 or len(getattr(model, "outputs", None) or ()) != 1:
        raise ModelError(
            f"Member {number}, {model.name!r}, is no functional or Sequential model from one image batch to "
            "probabilities. Wrap it in one."
        )
    if model.output_shape != (None, len(card.classes)):
        raise ModelError(
            f"Member {number}, {model.name!r}, gives {model.output_shape}; expected one probability for each of the "
            f"classes {card.classes}."
        )
    kept = card.provenance.get("calibration")
    if isinstance(kept, Mapping) and kept.get("method") not in (None, "temperature"):
        raise ModelError(
            f"Member {number}, {model.name!r}, is calibrated by {kept.get('method')!r}, which cannot become part of a "
            "Keras graph. Remove it with `store_calibration(model, None)` and calibrate the ensemble."
        )
    return card


def _check_apart(models: Sequence[Any]) -> None:
    owners: dict[int, int] = {}
    for number, model in enumerate(models, start=1):
        for weight in model.weights:
            other = owners.setdefault(id(weight), number)
            if other != number:
                raise ModelError(
                    f"Members {other} and {number} share weights: they are one model, or have layers in common. Say "
                    "how much each model counts with `weights=`."
                )


def _check_together(cards: Sequence[ModelCard], size: tuple[int, int]) -> str | None:
    """Check what all members must have in common; return how images are resized."""
    first = cards[0]
    for number, card in enumerate(cards[1:], start=2):
        if card.classes != first.classes:
            raise ModelError(
                f"Member 1 has the classes {first.classes}, member {number} {card.classes}: they must be the same, in "
                "the same order."
            )
        if card.stain != first.stain:
            found = [
                "none" if one.stain is None else f"{one.stain['name']!r} with values of its own"
                for one in (first, card)
            ]
            raise ModelError(
                f"Members 1 and {number} were trained on other stains (normalizers: {found[0]}; {found[1]}). One model "
                "takes one image: train the members with the same fitted normalizer, or average their predictions."
            )
    ways = {card.resize or "stretch" for card in cards}
    if len(ways) > 1:
        raise ModelError(f"The members had their images resized by {' and '.join(sorted(ways))}; expected one way.")
    if ways != {"stretch"}:
        odd = [card.image_size for card in cards if card.image_size[0] * size[1] != card.image_size[1] * size[0]]
        if odd:
            raise ModelError(
                f"The members take images of {size} and {odd[0]}, of another shape, and resize by {ways.pop()}: what "
                "one sees of an image cannot be made from what the other sees."
            )
    return next((card.resize for card in cards if card.resize is not None), None)


def _check_weights(weights: Sequence[float] | None, count: int) -> list[float]:
    values = [1.0] * count if weights is None else [float(value) for value in weights]
    if len(values) != count or not all(math.isfinite(value) and value >= 0 for value in values) or sum(values) <= 0:
        raise ModelError(f"weights={weights!r}: expected {count} numbers of 0 or more, not all 0.")
    return [value / sum(values) for value in values]


def _seen_by_any(cards: Sequence[ModelCard]) -> dict[str, Any]:
    """Return the record of the cases and slides that any member learnt from, was calibrated or decided on."""
    seen: dict[str, set[str]] = {unit: set() for unit in UNITS}
    learnt: dict[str, set[str]] = {unit: set() for unit in UNITS}
    for card in cards:
        for unit in UNITS:
            seen[unit].update(*(list_seen_names(record, unit) for record in card.provenance.values()))
            learnt[unit].update(list_trained_names(card.provenance.get("training"), unit))
    unknown = sum("training" not in card.provenance for card in cards)
    record: dict[str, Any] = {unit: sorted(names) for unit, names in seen.items()}
    if not any(record.values()):
        return {}
    record["trained_on"] = {unit: sorted(names) for unit, names in learnt.items()}
    return {"training": {**record, **({"members_without_record": unknown} if unknown else {})}}
