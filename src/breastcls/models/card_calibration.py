"""The calibration that is stored in a model's card."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from breastcls.models.calibration_identity import name_calibration
from breastcls.models.calibration_map import CalibrationMap

if TYPE_CHECKING:
    from breastcls.models.model_card import ModelCard


def find_calibration(card: ModelCard | None) -> CalibrationMap | None:
    """Return the calibration map that a card stores, or None.

    Args:
        card: The model's card, or None for a model without one.

    Example:
        >>> from breastcls.models.model_card import ModelCard
        >>> card = ModelCard(classes=("benign", "malignant"), image_size=(32, 32), temperature=2.0)
        >>> find_calibration(card).parameters
        {'temperature': 2.0}
    """
    if card is None:
        return None
    stored = card.provenance.get("calibration")
    if isinstance(stored, dict) and stored.get("method") not in (None, "temperature"):
        return CalibrationMap.from_dict(stored)
    if card.temperature is None:
        return None
    parameters = {"temperature": card.temperature}
    if isinstance(stored, dict) and stored.get("method") == "temperature":
        # The provenance records what it was fitted on; the value in force is the card's own field.
        return dataclasses.replace(CalibrationMap.from_dict(stored), parameters=parameters)
    return CalibrationMap("temperature", card.classes, parameters)


def is_calibration_in_graph(card: ModelCard | None) -> bool:
    """Return whether a model computes calibrated probabilities itself, as an exported file does.

    `breastcls.export.export_model` makes the calibration part of the graph. The card of such a file still stores it, so
    that predictions record it; it must not be applied again.

    Args:
        card: The model's card, or None for a model without one.
    """
    exported = None if card is None else card.provenance.get("export")
    return isinstance(exported, dict) and exported.get("calibration_in_graph") is True


def name_stored_calibration(card: ModelCard) -> str | None:
    """Return the name of the calibration of a model's predictions; see `name_calibration`."""
    stored = find_calibration(card)
    return name_calibration(None if stored is None else stored.record())
