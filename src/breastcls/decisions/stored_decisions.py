"""Keeping a threshold, a calibration or prediction sets with the model, so that they go wherever it is loaded."""

from __future__ import annotations

import dataclasses
from typing import Any

from breastcls.calibration.calibrators import Calibrator
from breastcls.decisions.conformal import ConformalSets
from breastcls.decisions.thresholds import Threshold
from breastcls.errors import EvaluationError
from breastcls.models.calibration_identity import name_calibration, require_same_calibration
from breastcls.models.model_card import ModelCard, get_card, set_card


def store_threshold(model: Any, threshold: Threshold | None) -> None:
    """Keep a decision threshold with a model; None removes it.

    Which cases it was chosen on goes into the card's provenance, and `evaluate` counts them as seen.

    Args:
        model: A `keras.Model` with a card.
        threshold: What `choose_threshold` returned.

    Raises:
        EvaluationError: If the model has no card, the threshold is 0 or 1, or it was chosen on predictions of another
            calibration than the model keeps.
    """
    card = _card_of(model)
    provenance = {key: value for key, value in card.provenance.items() if key != "threshold"}
    if threshold is not None:
        if not 0 < threshold.value < 1:
            raise EvaluationError(
                f"A threshold of {threshold.value} decides everything alike and is not kept with a model."
            )
        require_same_calibration(
            threshold.calibration, _calibration_of(card), "The threshold was chosen", "choose_threshold"
        )
        provenance["threshold"] = threshold.to_dict()
    value = None if threshold is None else threshold.value
    set_card(model, card.replace(threshold=value, provenance=provenance))


def store_calibration(model: Any, calibrator: Calibrator | None) -> None:
    """Keep a calibration with a model; None removes it.

    Args:
        model: A `keras.Model` with a card.
        calibrator: What `fit_calibrator` returned, fitted on the predictions of this model without a calibration.

    Raises:
        EvaluationError: If the model has no card, other classes, a calibration already, or a threshold or prediction
            sets (which were chosen on probabilities that would now change), or the calibration is not one of images.
    """
    card = _card_of(model)
    if "conformal" in card.provenance:
        raise EvaluationError(
            "The model keeps prediction sets, which were fitted to the probabilities as they are. Remove them with "
            "`store_conformal(model, None)`, calibrate, and fit them anew."
        )
    if card.threshold is not None:
        raise EvaluationError(
            "The model keeps a threshold, which was chosen on the probabilities as they are. Remove it with "
            "`store_threshold(model, None)`, calibrate, and choose it anew."
        )
    provenance = {key: value for key, value in card.provenance.items() if key != "calibration"}
    if calibrator is None:
        set_card(model, card.replace(temperature=None, provenance=provenance))
        return
    if calibrator.classes != card.classes:
        raise EvaluationError(f"Fitted for the classes {calibrator.classes}; the model's are {card.classes}.")
    if calibrator.level != "image":
        raise EvaluationError(
            f"Fitted on {calibrator.level}s; the model gives probabilities of images. Fit it on the validation "
            "predictions by image, or `apply` it to predictions by hand."
        )
    if card.temperature is not None or "calibration" in card.provenance:
        raise EvaluationError(
            "The model is calibrated already, so its predictions are. Remove that with `store_calibration(model, "
            "None)`, predict again, and fit anew."
        )
    provenance["calibration"] = calibrator.to_dict()
    temperature = calibrator.parameters["temperature"] if calibrator.method == "temperature" else None
    set_card(model, card.replace(temperature=temperature, provenance=provenance))


def store_conformal(model: Any, sets: ConformalSets | None) -> None:
    """Keep prediction sets with a model; None removes them.

    Which cases they were fitted on goes into the card's provenance, and `evaluate` counts them as seen.

    Args:
        model: A `keras.Model` with a card.
        sets: What `fit_conformal` returned, fitted on the predictions of this model as it is, calibrated or not.

    Raises:
        EvaluationError: If the model has no card, other classes, or another calibration than the sets were fitted on.
    """
    card = _card_of(model)
    provenance = {key: value for key, value in card.provenance.items() if key != "conformal"}
    if sets is not None:
        if sets.classes != card.classes:
            raise EvaluationError(f"Fitted for the classes {sets.classes}; the model's are {card.classes}.")
        require_same_calibration(
            sets.calibration, _calibration_of(card), "The prediction sets were fitted", "fit_conformal"
        )
        provenance["conformal"] = sets.to_dict()
    set_card(model, card.replace(provenance=provenance))


def read_calibration(card: ModelCard) -> Calibrator | None:
    """Return the calibration that a card keeps, or None."""
    kept = card.provenance.get("calibration")
    if isinstance(kept, dict) and kept.get("method") not in (None, "temperature"):
        return Calibrator.from_dict(kept)
    if card.temperature is None:
        return None
    parameters = {"temperature": card.temperature}
    if isinstance(kept, dict) and kept.get("method") == "temperature":
        # What it was fitted on stands there; the number itself is the card's.
        return dataclasses.replace(Calibrator.from_dict(kept), parameters=parameters)
    return Calibrator("temperature", card.classes, parameters)


def _calibration_of(card: ModelCard) -> str | None:
    """Return the name of the calibration that predictions of the model carry."""
    kept = read_calibration(card)
    return name_calibration(None if kept is None else kept.record())


def _card_of(model: Any) -> ModelCard:
    card = get_card(model)
    if card is None:
        raise EvaluationError(
            "The model has no card to keep this in. Give it one: `set_card(model, "
            "ModelCard(classes=..., image_size=...))`."
        )
    return card
