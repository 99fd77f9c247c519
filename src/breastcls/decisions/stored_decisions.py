"""Storing a threshold or prediction sets in the card of a model, so that they are saved and loaded with it."""

from __future__ import annotations

from typing import Any

from breastcls.decisions.conformal_sets import ConformalSets
from breastcls.decisions.thresholds import Threshold
from breastcls.errors import EvaluationError
from breastcls.models.calibration_identity import require_same_calibration
from breastcls.models.card_calibration import name_stored_calibration
from breastcls.models.model_card import require_card, set_card


def store_threshold(model: Any, threshold: Threshold | None) -> None:
    """Store a decision threshold in the card of a model; None removes it.

    Which cases it was chosen on goes into the card's provenance, and `evaluate` counts them as seen.

    Args:
        model: A `keras.Model` with a card.
        threshold: What `choose_threshold` returned.

    Raises:
        EvaluationError: If the model has no card, the threshold is 0 or 1, or it was chosen on predictions of another
            calibration than the model's.
    """
    card = require_card(model)
    provenance = {key: value for key, value in card.provenance.items() if key != "threshold"}
    if threshold is not None:
        if not 0 < threshold.value < 1:
            raise EvaluationError(
                f"A threshold of {threshold.value} predicts one class for every image and is not stored."
            )
        require_same_calibration(
            threshold.calibration, name_stored_calibration(card), "The threshold was chosen", "choose_threshold"
        )
        provenance["threshold"] = threshold.to_dict()
    value = None if threshold is None else threshold.value
    set_card(model, card.replace(threshold=value, provenance=provenance))


def store_conformal(model: Any, sets: ConformalSets | None) -> None:
    """Store prediction sets in the card of a model; None removes them.

    Which cases they were fitted on goes into the card's provenance, and `evaluate` counts them as seen.

    Args:
        model: A `keras.Model` with a card.
        sets: What `fit_conformal` returned, fitted on the predictions of this model with its present calibration, if
            any.

    Raises:
        EvaluationError: If the model has no card, other classes, or another calibration than the sets were fitted on.
    """
    card = require_card(model)
    provenance = {key: value for key, value in card.provenance.items() if key != "conformal"}
    if sets is not None:
        if sets.classes != card.classes:
            raise EvaluationError(
                f"The prediction sets were fitted for the classes {sets.classes}; the model has the classes "
                f"{card.classes}. Fit them on predictions of this model."
            )
        require_same_calibration(
            sets.calibration, name_stored_calibration(card), "The prediction sets were fitted", "fit_conformal"
        )
        provenance["conformal"] = sets.to_dict()
    set_card(model, card.replace(provenance=provenance))
