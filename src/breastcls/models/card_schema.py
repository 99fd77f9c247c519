"""The JSON of a model card: its schema version, and the checks on reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breastcls._version import __version__
from breastcls.argument_checks import is_count
from breastcls.errors import ModelError
from breastcls.size_limits import parse_json

CARD_SCHEMA = 2
"""Version of the JSON of the card. It is raised with every change of the fields; all earlier versions stay readable.

Version 2 added `training_history`.
"""

# Larger whole numbers are in no card, and cannot become a float.
_LARGEST = 2**53
_STEPS = ("training", "calibration", "threshold", "conformal", "ood")

_TYPES: Mapping[str, tuple[type, ...]] = {
    "image_size": (list, type(None)),
    "backbone": (str, type(None)),
    "weights": (str, type(None)),
    "head": (str, type(None)),
    "dropout": (float, int, type(None)),
    "seed": (int, type(None)),
    "resize": (str, type(None)),
    "stain": (dict, type(None)),
    "threshold": (float, int, type(None)),
    "temperature": (float, int, type(None)),
    "training_history": (dict, type(None)),
    "version": (str,),
}


def read_card(text: str, fields: set[str]) -> dict[str, Any]:
    """Return the fields of a model card from its JSON text.

    Args:
        text: What `ModelCard.to_json` returned.
        fields: The names of all fields of a card.

    Raises:
        ModelError: If the text is not JSON, not a card, or a card of a newer schema.
    """
    try:
        values = parse_json(text)
    except ValueError as error:
        raise ModelError(f"The model card is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ModelError(f"The model card is a JSON {type(values).__name__}; expected an object.")
    _check_schema(values.pop("schema", None), values.get("version", "of an unknown version"))
    missing, unknown = {"classes", "image_size"} - set(values), set(values) - fields
    if missing or unknown:
        raise ModelError(
            f"The model card lacks the fields {sorted(missing)} or has unknown fields {sorted(unknown)}; expected a "
            "card that `save_model` wrote. Save the model again."
        )
    for name, types in _TYPES.items():
        if name in values and not isinstance(values[name], types):
            expected = " or ".join("null" if kind is type(None) else kind.__name__ for kind in types)
            raise ModelError(f"{name} in the model card is {values[name]!r}; expected {expected}.")
        if float in types and isinstance(values.get(name), int) and abs(values[name]) > _LARGEST:
            raise ModelError(f"{name} in the model card is too large a number.")
    _check_provenance(values.get("provenance", {}))
    return values


def _check_provenance(provenance: Any) -> None:
    """Check the names in the records of training, calibration and so on, which the audit for leakage compares."""
    if not isinstance(provenance, dict):
        raise ModelError(f"provenance in the model card is {provenance!r}; expected an object.")
    for step in _STEPS:
        record = provenance.get(step, {})
        if not isinstance(record, dict):
            raise ModelError(f"{step} in the provenance of the model card is {record!r:.80}; expected an object.")
        for part in (record, record.get("trained_on")):
            for unit in ("cases", "slides"):
                names = part.get(unit, []) if isinstance(part, dict) else []
                if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                    raise ModelError(
                        f"{unit} of {step} in the provenance of the model card are {names!r:.80}; expected a list of "
                        "names."
                    )


def _check_schema(schema: Any, writer: Any) -> None:
    if not is_count(schema):
        raise ModelError(
            f"The model card has the schema version {schema!r}; expected a whole number of at least 1 in the field "
            "`schema`. Save the model again with `save_model`."
        )
    if schema > CARD_SCHEMA:
        raise ModelError(
            f"The model card has schema version {schema} and was written by breastcls {writer}; breastcls "
            f"{__version__} reads versions up to {CARD_SCHEMA}. Upgrade breastcls to load this model: "
            "`pip install --upgrade breastcls`."
        )
