"""The decision threshold that an evaluation uses, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breastcls.decisions.thresholds import Threshold
from breastcls.errors import EvaluationError
from breastcls.models.calibration_identity import name_calibration, require_same_calibration
from breastcls.predictions.predictions import Predictions


def refuse_rule(threshold: Any) -> None:
    """Raise `EvaluationError` if a threshold is the name of a rule, which must not be applied to the test set."""
    if isinstance(threshold, str):
        raise EvaluationError(
            f"`threshold` is {threshold!r}, a rule. A threshold is chosen on validation or out-of-fold predictions, "
            "never on the test set: `choose_threshold(predict(model, val), ...)`, then pass its value."
        )


def apply_threshold(
    predictions: Predictions, threshold: float | Threshold | None, card: Mapping[str, Any]
) -> tuple[Predictions, dict[str, Any] | None, Mapping[str, Any]]:
    """Apply the decision threshold.

    Args:
        predictions: Of two classes where a threshold is given.
        threshold: A probability, a chosen threshold, or None for the one that the predictions have.
        card: The model's card; empty without one.

    Returns:
        The predictions with the threshold; its origin, None where none was chosen; and the provenance of the card, in
        which a given `Threshold` replaces the stored one.

    Raises:
        EvaluationError: If the threshold was chosen on probabilities of another calibration.
    """
    provenance = card.get("provenance") or {}
    origin = _origin(threshold, predictions, provenance)
    if origin is not None:
        used = name_calibration(predictions.calibration)
        require_same_calibration(origin.get("calibration"), used, "The threshold was chosen", "choose_threshold")
    if isinstance(threshold, Threshold):
        return predictions.with_threshold(threshold.value), origin, {**provenance, "threshold": threshold.to_dict()}
    if threshold is not None:
        predictions = predictions.with_threshold(threshold)
    return predictions, origin, provenance


def _origin(
    threshold: float | Threshold | None, predictions: Predictions, provenance: Mapping[str, Any]
) -> dict[str, Any] | None:
    if isinstance(threshold, Threshold):
        return {"origin": "given to evaluate", **threshold.to_dict()}
    if threshold is not None:
        return {"origin": "given to evaluate as a number", "value": float(threshold)}
    if predictions.threshold is None:
        return None
    stored = provenance.get("threshold")
    if isinstance(stored, Mapping) and stored.get("value") == predictions.threshold:
        return {"origin": "stored with the model", **stored}
    return {"origin": "from the predictions", "value": predictions.threshold}
