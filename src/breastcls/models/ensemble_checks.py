"""Whether models can be joined to an ensemble, and what they have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from breastcls.errors import ModelError
from breastcls.models.model_card import ModelCard, get_card
from breastcls.models.runtime_model import require_keras
from breastcls.models.training_cases import UNITS, list_seen_names, list_trained_names
from breastcls.models.vector_input import require_image_size, vector_size


def check_member(number: int, model: Any) -> ModelCard:
    """Return the card of a model, or raise a `ModelError` if it cannot be a member."""
    require_keras(model, "build_ensemble")
    if not isinstance(model, keras.Model):
        raise ModelError(f"Member {number} is a {type(model).__name__}; expected a keras.Model or a path.")
    card = get_card(model)
    if card is None:
        raise ModelError(
            f"Member {number}, {model.name!r}, has no card, so its classes and stain are unknown. Set one by "
            "`load_model(path, classes=...)` or `set_card(model, ModelCard(...))`."
        )
    if len(getattr(model, "inputs", None) or ()) != 1 or len(getattr(model, "outputs", None) or ()) != 1:
        raise ModelError(
            f"Member {number}, {model.name!r}, is not a functional or Sequential model with one input and one output. "
            "Make a functional model of it."
        )
    if model.output_shape != (None, len(card.classes)):
        raise ModelError(
            f"Member {number}, {model.name!r}, has the output {model.output_shape}; expected one probability per class "
            f"of {card.classes}."
        )
    kept = card.provenance.get("calibration")
    if isinstance(kept, Mapping) and kept.get("method") not in (None, "temperature"):
        raise ModelError(
            f"Member {number}, {model.name!r}, is calibrated by {kept.get('method')!r}, which cannot become part of a "
            "Keras graph. Remove it with `store_calibration(model, None)` and calibrate the ensemble."
        )
    return card


def check_no_shared_weights(models: Sequence[Any]) -> None:
    """Raise a `ModelError` if two members have weights in common."""
    owners: dict[int, int] = {}
    for number, model in enumerate(models, start=1):
        for weight in model.weights:
            other = owners.setdefault(id(weight), number)
            if other != number:
                raise ModelError(
                    f"Members {other} and {number} share weights: they are one model, or have common layers. Use "
                    "`weights=` to give a model a larger weight."
                )


def check_same_inputs(models: Sequence[Any]) -> int | None:
    """Return the number of components of the vectors that all models take, or None where they take images.

    Raises:
        ModelError: If some take vectors and others images, or vectors of other sizes.
    """
    sizes = [vector_size(model) for model in models]
    if len(set(sizes)) > 1:
        found = ", ".join("images" if size is None else f"vectors of {size} components" for size in sizes)
        raise ModelError(f"The members take {found}; expected the same for all.")
    return sizes[0]


def check_compatible(cards: Sequence[ModelCard], size: tuple[int, int]) -> str | None:
    """Check that the members can be joined; return the resize mode."""
    first = cards[0]
    for number, card in enumerate(cards[1:], start=2):
        if card.classes != first.classes:
            raise ModelError(
                f"Member 1 has the classes {first.classes}, member {number} {card.classes}; expected the same classes "
                "in the same order."
            )
        if card.stain != first.stain:
            found = [
                "none" if one.stain is None else f"{one.stain['name']!r} with its own parameters"
                for one in (first, card)
            ]
            raise ModelError(
                f"Members 1 and {number} have different stain normalizers ({found[0]}; {found[1]}). Train the members "
                "with the same fitted normalizer, or average their predictions."
            )
    modes = {card.resize or "stretch" for card in cards}
    if len(modes) > 1:
        raise ModelError(f"The members have the resize modes {' and '.join(sorted(modes))}; expected one mode.")
    if modes != {"stretch"}:
        sizes = [require_image_size(card, "An ensemble") for card in cards]
        odd = [own for own in sizes if own[0] * size[1] != own[1] * size[0]]
        if odd:
            raise ModelError(
                f"The members take images of {size} and {odd[0]}, which have different proportions, with the resize "
                f"mode {modes.pop()!r}; expected equal proportions, because otherwise the members get different parts "
                "of an image."
            )
    return next((card.resize for card in cards if card.resize is not None), None)


def normalise_weights(weights: Sequence[float] | None, count: int) -> list[float]:
    """Return the weights of the members divided by their sum."""
    values = [1.0] * count if weights is None else [float(value) for value in weights]
    if len(values) != count or not all(math.isfinite(value) and value >= 0 for value in values) or sum(values) <= 0:
        raise ModelError(f"weights={weights!r}: expected {count} numbers of 0 or more, not all 0.")
    return [value / sum(values) for value in values]


def merge_training_records(cards: Sequence[ModelCard]) -> dict[str, Any]:
    """Return the record of the cases and slides that were used for training or calibration of any member."""
    seen: dict[str, set[str]] = {unit: set() for unit in UNITS}
    trained: dict[str, set[str]] = {unit: set() for unit in UNITS}
    for card in cards:
        for unit in UNITS:
            seen[unit].update(*(list_seen_names(record, unit) for record in card.provenance.values()))
            trained[unit].update(list_trained_names(card.provenance.get("training"), unit))
    unknown = sum("training" not in card.provenance for card in cards)
    record: dict[str, Any] = {unit: sorted(names) for unit, names in seen.items()}
    if not any(record.values()):
        return {}
    record["trained_on"] = {unit: sorted(names) for unit, names in trained.items()}
    return {"training": {**record, **({"members_without_record": unknown} if unknown else {})}}
