"""The card of an exported model: without the names of cases unless they are asked for."""

from __future__ import annotations

from typing import Any

from breastcls.errors import ModelError
from breastcls.models.card_calibration import find_calibration
from breastcls.models.model_card import ModelCard
from breastcls.predictions.names_in_results import count_names, drop_names
from breastcls.predictions.pseudonyms import Pseudonyms
from breastcls.relative_paths import without_folders

OMIT, KEEP = "omit", "keep"


def make_shared_card(card: ModelCard, case_names: str | Pseudonyms, export_format: str) -> ModelCard:
    """Return the card that is written beside an exported model.

    Args:
        card: The card of the Keras model.
        case_names: "omit": numbers of cases and slides instead of their names. "keep": the names. Pseudonyms: in the
            place of the names.
        export_format: The format of the file.

    Raises:
        ModelError: If `case_names` is something else.
        EvaluationError: If a name has no pseudonym.
    """
    provenance: dict[str, Any] = without_folders(card.provenance)
    if isinstance(case_names, Pseudonyms):
        provenance = case_names.replace_in(provenance)
    elif case_names == OMIT:
        numbers = {step: found for step, record in provenance.items() if (found := count_names(record))}
        provenance = drop_names(provenance)
        if numbers:
            provenance["names_omitted"] = numbers
    elif case_names != KEEP:
        raise ModelError(f"case_names={case_names!r}: expected 'omit', 'keep' or `Pseudonyms`.")
    calibrated = find_calibration(card) is not None
    provenance["export"] = {"format": export_format, "calibration_in_graph": calibrated}
    return card.replace(provenance=provenance)
