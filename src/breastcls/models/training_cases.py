"""What a model has learnt from, as its card keeps it over one training after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from breastcls.datasets.dataset import Dataset
from breastcls.models.model_card import ModelCard

UNITS = ("cases", "slides")
# They were fitted to what the weights gave, and say nothing of what other weights give.
_OF_THE_WEIGHTS = ("threshold", "calibration", "conformal")


def record_training(
    card: ModelCard, record: Mapping[str, Any], train: Dataset, val: Dataset | None = None
) -> ModelCard:
    """Return a card with the record of a training, by which leaks are found wherever the model goes.

    What was seen before is kept: weights that were trained on go on knowing it. A threshold, a calibration and
    prediction sets are dropped; `list_weight_dependent` names them.

    Args:
        card: The card before.
        record: What else is to be known of the training.
        train: What was learnt from.
        val: What the best epoch was chosen by.
    """
    before = card.provenance.get("training")
    parts = [train] if val is None else [train, val]
    learnt, seen = _names([train]), _names(parts)
    training = {
        **{unit: sorted(seen[unit] | list_seen_names(before, unit)) for unit in UNITS},
        "trained_on": {unit: sorted(learnt[unit] | list_trained_names(before, unit)) for unit in UNITS},
        **record,
    }
    if isinstance(before, Mapping):
        training["earlier_training"] = {unit: len(list_seen_names(before, unit)) for unit in UNITS}
    bare = drop_weight_dependent(card)
    return bare.replace(provenance={**bare.provenance, "training": training})


def drop_weight_dependent(card: ModelCard) -> ModelCard:
    """Return a card without what holds for the weights as they are only; see `list_weight_dependent`."""
    rest = {name: value for name, value in card.provenance.items() if name not in _OF_THE_WEIGHTS}
    return card.replace(provenance=rest, threshold=None, temperature=None)


def list_weight_dependent(card: ModelCard) -> list[str]:
    """Return what a card keeps that holds for the weights as they are only, in words.

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
    """Return the cases or slides that a training looked at, to learn from or to choose by.

    Args:
        record: What stands under "training" in the provenance of a card; anything else has seen nothing.
        unit: "cases" or "slides".
    """
    return set(map(str, record.get(unit) or ())) if isinstance(record, Mapping) else set()


def list_trained_names(record: Any, unit: str) -> set[str]:
    """Return the cases or slides that weights were fitted to; all that were seen, where that is not told apart.

    Args:
        record: As in `list_seen_names`.
        unit: "cases" or "slides".
    """
    if isinstance(record, Mapping) and isinstance(record.get("trained_on"), Mapping):
        return list_seen_names(record["trained_on"], unit)
    return list_seen_names(record, unit)


def _names(parts: Sequence[Dataset]) -> dict[str, set[str]]:
    return {
        "cases": {str(name) for part in parts for name in part.cases},
        "slides": {str(name) for part in parts for name in part.slides},
    }
