"""The record of the cases of all trainings of a model, in its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from breastcls.datasets.dataset import Dataset
from breastcls.identifiers import format_name
from breastcls.models.model_card import ModelCard
from breastcls.models.training_images import describe_images

UNITS = ("cases", "slides")
# Fitted to the outputs of certain weights, and invalid for other weights.
_WEIGHT_DEPENDENT = ("threshold", "calibration", "conformal")


def record_training(
    card: ModelCard, record: Mapping[str, Any], train: Dataset, val: Dataset | None = None
) -> ModelCard:
    """Return a card with the record of a training, so that leakage into the evaluation can be detected later.

    The cases of earlier trainings are kept, because the weights depend on them too. A threshold, a calibration and
    prediction sets are removed; `list_weight_dependent` names them.

    Args:
        card: The card before the training.
        record: Further JSON values for the record.
        train: The training images.
        val: The validation images, by which the best epoch was selected.
    """
    before = card.provenance.get("training")
    parts = [train] if val is None else [train, val]
    trained, seen = _names([train]), _names(parts)
    training = {
        **{unit: sorted(seen[unit] | list_seen_names(before, unit)) for unit in UNITS},
        "trained_on": {unit: sorted(trained[unit] | list_trained_names(before, unit)) for unit in UNITS},
        **record,
        **_describe_inputs(card, train),
    }
    if isinstance(before, Mapping):
        training["earlier_training"] = {unit: len(list_seen_names(before, unit)) for unit in UNITS}
    bare = drop_weight_dependent(card)
    return bare.replace(provenance={**bare.provenance, "training": training})


def _describe_inputs(card: ModelCard, train: Dataset) -> dict[str, Any]:
    if card.image_size is None:
        # A model of vectors can be used on the vectors of the same encoder only.
        return {"encoder": dict(train.encoder)}
    return {"images": describe_images(train).to_record()}


def drop_weight_dependent(card: ModelCard) -> ModelCard:
    """Return a card without the entries that are valid for the present weights only."""
    rest = {name: value for name, value in card.provenance.items() if name not in _WEIGHT_DEPENDENT}
    return card.replace(provenance=rest, threshold=None, temperature=None)


def list_weight_dependent(card: ModelCard) -> list[str]:
    """Return the names of the entries of a card that are valid for the present weights only.

    Example:
        >>> list_weight_dependent(ModelCard(classes=("no", "yes"), image_size=(32, 32), threshold=0.3))
        ['threshold']
    """
    kept = {
        "threshold": card.threshold is not None,
        "calibration": card.temperature is not None or "calibration" in card.provenance,
        "prediction sets": "conformal" in card.provenance,
    }
    return [name for name, there in kept.items() if there]


def list_seen_names(record: Any, unit: str) -> set[str]:
    """Return the cases or slides that were used in trainings, for training or validation.

    Args:
        record: The entry "training" in the provenance of a card. Anything but a mapping gives an empty set.
        unit: "cases" or "slides".
    """
    return set(map(format_name, record.get(unit) or ())) if isinstance(record, Mapping) else set()


def list_trained_names(record: Any, unit: str) -> set[str]:
    """Return the cases or slides on which weights were trained; those of `list_seen_names` if they are not recorded.

    Args:
        record: The entry "training" in the provenance of a card.
        unit: "cases" or "slides".
    """
    if isinstance(record, Mapping) and isinstance(record.get("trained_on"), Mapping):
        return list_seen_names(record["trained_on"], unit)
    return list_seen_names(record, unit)


def _names(parts: Sequence[Dataset]) -> dict[str, set[str]]:
    # Where cases are not known there is nothing to record.
    found: dict[str, set[str]] = {unit: set() for unit in UNITS}
    for part in parts:
        case, slide = part.table["case"], part.table["slide"]
        found["cases"] |= set(case.dropna().tolist())
        found["slides"] |= set(slide.fillna(case).dropna().tolist())
    return found
