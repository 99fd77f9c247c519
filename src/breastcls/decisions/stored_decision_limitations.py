"""Limitations of a threshold, a calibration and prediction sets that were fitted at another level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from breastcls.predictions.independence import count_shared_cases
from breastcls.predictions.predictions import Predictions


def find_stored_limitations(
    predictions: Predictions,
    scored: Predictions,
    levels: Sequence[str],
    method: str,
    threshold: Mapping[str, Any] | None,
    provenance: Mapping[str, Any],
) -> tuple[str, ...]:
    """Return the limitations of what was fitted before the test set was scored.

    Args:
        predictions: By image, or as they were given.
        scored: At the level that was scored.
        levels: Every level with metrics.
        method: How images were aggregated.
        threshold: The origin of the threshold: `value`, `origin` and the fields of `Threshold.to_dict`.
        provenance: The provenance of the model's card, with calibration and prediction sets.
    """
    calibration = calibration_record(predictions, provenance)
    limitations: list[str] = []
    if threshold is not None and threshold.get("level"):
        origin = (threshold["level"], threshold.get("aggregation_method"))
        used = {level: _used_at(predictions, level, method, votes=True) for level in levels}
        others = [level for level, place in used.items() if not _is_same(origin, place)]
        if others:
            units = " and ".join(dict.fromkeys(_units(*used[level]) for level in others))
            limitations.append(
                f"The threshold was chosen on {_units(*origin)}; {units} are classified with it too, though "
                "the distribution of their probabilities differs: their sensitivity and specificity may differ from "
                "those it was chosen for. Choose one for them on the validation predictions at that level, aggregated "
                "in the same way."
            )
    if threshold is not None:
        limitations += threshold.get("limitations") or ()
    if calibration is not None and calibration.get("level"):
        origin = (calibration["level"], calibration.get("aggregation_method"))
        place = _used_at(predictions, scored.level, method)
        if not _is_same(origin, place):
            limitations.append(
                f"The probabilities were calibrated on {_units(*origin)}; for {_units(*place)}, which are "
                "scored here, the calibration may not hold."
            )
    sets = provenance.get("conformal")
    if isinstance(sets, Mapping) and sets.get("level") != scored.level:
        limitations.append(
            f"The model stores prediction sets for {sets.get('level')}s; {scored.level}s were scored, so the sets "
            "were not assessed."
        )
    elif isinstance(sets, Mapping):
        limitations += [f"Prediction sets: {one}" for one in sets.get("limitations") or ()]
    chosen = threshold if threshold is not None and "rule" in threshold else None
    for what, record in (("threshold was chosen", chosen), ("calibration was fitted", calibration)):
        if record is not None and count_shared_cases(predictions, record.get("cases") or ()) is None:
            limitations.append(
                f"Whether the {what} on these images is not known, since the cases of one of the two sets are not "
                "known."
            )
    return tuple(limitations)


def calibration_record(predictions: Predictions, provenance: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what is recorded of the calibration, with the predictions or in the model's card, or None."""
    stored = provenance.get("calibration")
    return predictions.calibration or (stored if isinstance(stored, Mapping) else None)


def _used_at(predictions: Predictions, level: str, method: str, *, votes: bool = False) -> tuple[str, str | None]:
    """Return the level, and method of aggregation, of the probabilities from which the metrics of a level are computed.

    With `votes`, those that a threshold is applied to: before a majority vote it classifies single images.
    """
    if level == predictions.level:
        return level, predictions.aggregation_method
    return (predictions.level, predictions.aggregation_method) if votes and method == "majority" else (level, method)


def _is_same(origin: tuple[str, Any], place: tuple[str, Any]) -> bool:
    same_way = origin[1] == place[1] or None in (origin[1], place[1])
    return origin[0] == place[0] and same_way


def _units(level: str, method: str | None) -> str:
    return f"{level}s" if method is None else f"{level}s (images aggregated by {method})"
