"""A model file without the names of the cases that the model was trained on."""

from __future__ import annotations

import os
from pathlib import Path

import keras

from breastcls.models.model_card import get_card, set_card
from breastcls.models.persistence import save_model
from breastcls.predictions.pseudonyms import Pseudonyms


def save_model_with_pseudonyms(
    model: keras.Model, path: str | os.PathLike[str], pseudonyms: Pseudonyms | None = None
) -> Path:
    """Write a model to one `.keras` file whose card has pseudonyms for the cases and slides that the model has seen.

    The model itself is not changed. With the file, `evaluate` finds leaks among images under the same pseudonyms only.

    Args:
        model: The model.
        path: As in `breastcls.save_model`.
        pseudonyms: The pseudonyms; new ones that are not kept if None.

    Returns:
        The path.

    Raises:
        EvaluationError: If a name in the card has no pseudonym.
        ModelError: As `breastcls.save_model`.
        OutputError: If the file cannot be written.

    Example:
        >>> save_model_with_pseudonyms(model, "shared.keras", names)  # doctest: +SKIP
    """
    card = get_card(model)
    if card is None:
        return save_model(model, path)
    names = pseudonyms or Pseudonyms.of(card.provenance)
    set_card(model, card.replace(provenance=names.replace_in(card.provenance)))
    try:
        return save_model(model, path)
    finally:
        set_card(model, card)
