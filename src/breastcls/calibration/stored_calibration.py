"""Storing a calibration in the card of a model, so that it is saved and loaded with it."""

from __future__ import annotations

from typing import Any

from breastcls.errors import EvaluationError
from breastcls.models.calibration_map import CalibrationMap
from breastcls.models.card_calibration import is_calibration_in_graph
from breastcls.models.model_card import require_card, set_card


def store_calibration(model: Any, calibrator: CalibrationMap | None) -> None:
    """Store a calibration in the card of a model; None removes it.

    `predict`, `evaluate` and `explain` then apply it, also after saving and loading.

    Args:
        model: A `keras.Model` with a card.
        calibrator: What `fit_calibrator` returned, fitted on the predictions of this model without a calibration.

    Raises:
        EvaluationError: If the model has no card, other classes, a calibration already, or a threshold or prediction
            sets, which were chosen on probabilities that would now change; or if the calibration was not fitted on
            images, or the model is an exported file that has a calibration in its graph.

    Example:
        >>> import numpy as np
        >>> from breastcls.calibration.calibrators import fit_calibrator
        >>> from breastcls.models.building import build_model
        >>> from breastcls.predictions.predict import predict
        >>> model = build_model("cnn4", classes=("benign", "malignant"), image_size=32, weights=None, seed=7)
        >>> images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
        >>> validation = predict(model, images, labels=[0, 1] * 4)
        >>> store_calibration(model, fit_calibrator(validation, "platt"))
        >>> predict(model, images).calibration["method"]
        'platt'
    """
    card = require_card(model)
    if is_calibration_in_graph(card):
        raise EvaluationError(
            "The calibration of this exported model is part of its graph and cannot be changed. Calibrate the model in "
            "its '.keras' file and export it again."
        )
    if "conformal" in card.provenance:
        raise EvaluationError(
            "The model stores prediction sets, which were fitted to its present probabilities. Remove them with "
            "`store_conformal(model, None)`, calibrate, and fit them again."
        )
    if card.threshold is not None:
        raise EvaluationError(
            "The model stores a threshold, which was chosen on its present probabilities. Remove it with "
            "`store_threshold(model, None)`, calibrate, and choose it again."
        )
    provenance = {key: value for key, value in card.provenance.items() if key != "calibration"}
    if calibrator is None:
        set_card(model, card.replace(temperature=None, provenance=provenance))
        return
    if calibrator.classes != card.classes:
        raise EvaluationError(
            f"The calibration was fitted for the classes {calibrator.classes}; the model has the classes "
            f"{card.classes}. Fit it on predictions of this model."
        )
    if calibrator.level != "image":
        raise EvaluationError(
            f"Fitted on {calibrator.level}s; the model predicts images. Fit the calibration on validation predictions "
            "of images, or `apply` it to predictions without storing it."
        )
    if card.temperature is not None or "calibration" in card.provenance:
        raise EvaluationError(
            "The model is calibrated already, and so are its predictions. Remove that calibration with "
            "`store_calibration(model, None)`, predict again, and fit again."
        )
    provenance["calibration"] = calibrator.to_dict()
    temperature = calibrator.parameters["temperature"] if calibrator.method == "temperature" else None
    set_card(model, card.replace(temperature=temperature, provenance=provenance))
