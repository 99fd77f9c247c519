"""Identity of a calibration: thresholds and prediction sets are valid for one calibration only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from breastcls.errors import EvaluationError

UNCALIBRATED = "none"


def fingerprint_calibration(method: str, parameters: Mapping[str, Any], before: Mapping[str, Any] | None) -> str | None:
    """Return a fingerprint of a calibration map, 12 hexadecimal digits of a SHA-256.

    Args:
        method: The calibration method.
        parameters: The parameters of the map.
        before: The record of a calibration that was applied before. If that has no fingerprint, neither have the two
            together.
    """
    if before is not None and before.get("fingerprint") is None:
        return None
    content = [None if before is None else before["fingerprint"], method, dict(parameters)]
    text = json.dumps(content, sort_keys=True, default=lambda value: np.asarray(value).tolist())
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def name_calibration(record: Mapping[str, Any] | None) -> str | None:
    """Return the name of the calibration of predictions: "none" without one, None where it is not known.

    Args:
        record: `Predictions.calibration`. A calibration that was fitted separately in several folds has no fingerprint.

    Example:
        >>> name_calibration({"method": "platt", "fingerprint": "0123456789ab"}), name_calibration(None)
        ('platt 0123456789ab', 'none')
    """
    if record is None:
        return UNCALIBRATED
    if record.get("fingerprint") is None:
        return None
    return f"{record.get('method')} {record['fingerprint']}"


def parse_calibration(name: str | None) -> dict[str, Any] | None:
    """Return the part of a calibration record that its name contains.

    Example:
        >>> parse_calibration("platt 0123456789ab"), parse_calibration(None)
        ({'method': 'platt', 'fingerprint': '0123456789ab'}, None)
    """
    if name is None:
        return None
    method, _, fingerprint = name.rpartition(" ")
    return {"method": method or fingerprint, "fingerprint": fingerprint if method else None}


def require_same_calibration(chosen: str | None, used: str | None, what: str, again: str) -> None:
    """Raise an error if two calibrations are known and differ.

    Args:
        chosen: The name (see `name_calibration`) of the calibration of the predictions that something was fitted on.
        used: The name for the predictions that it is used on.
        what: The beginning of the message: "The threshold was chosen".
        again: The function that fits it.

    Raises:
        EvaluationError: If both are known and differ.
    """
    if None in (chosen, used) or chosen == used:
        return
    if used == UNCALIBRATED:
        remedy = (
            "Apply that calibration to these too. Where it was applied and the record was lost, as in a file without "
            "the column `calibration`, make the validation predictions go the same way and call "
            f"`{again}(...)` on them"
        )
    else:
        remedy = f"Calibrate the validation predictions first, in the same way, and then call `{again}(...)` on them"
    found = f"{what} on probabilities {_in_words(chosen)}; these are {_in_words(used)}"
    raise EvaluationError(f"{found}, which changes what it means. {remedy}.")


def _in_words(name: str | None) -> str:
    return "without a calibration on record" if name == UNCALIBRATED else f"calibrated by {name}"
