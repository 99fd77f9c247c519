"""What a caller may attach to an evaluation: tables that need the model itself, or take long, and so stand apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from breastcls.errors import EvaluationError

# The columns that each must have; the report draws these, and shows what else is there as it is.
GROUPS = ("images", "cases")
ATTACHMENTS: dict[str, tuple[str, ...]] = {
    "robustness": ("perturbation", "strength", "metric", "value", "low", "high"),
    "shortcuts": (),
    "baselines": (),
    "by_stain": GROUPS,
    "by_sharpness": GROUPS,
    "ood": ("auroc", "auroc_low", "auroc_high", "fpr95", "fpr95_low", "fpr95_high"),
    "risk_coverage": ("coverage", "risk", "low", "high"),
    "conformal": (),
}


def check_attachments(attached: Mapping[str, Any]) -> None:
    """Raise `EvaluationError` unless every name is known and every table has its columns.

    `conformal` is a mapping, all others are tables; None takes one away again.
    """
    for name, value in attached.items():
        if name not in ATTACHMENTS:
            raise EvaluationError(
                f"An evaluation has no section {name!r}; what can be attached: {', '.join(ATTACHMENTS)}."
            )
        if value is None:
            continue
        if name == "conformal":
            if not isinstance(value, Mapping):
                raise EvaluationError(f"`conformal` must be a mapping, not {type(value).__name__}.")
            continue
        if not isinstance(value, pd.DataFrame) or value.empty:
            found = "an empty table" if isinstance(value, pd.DataFrame) else type(value).__name__
            raise EvaluationError(f"`{name}` must be a DataFrame with rows; found {found}.")
        missing = [column for column in ATTACHMENTS[name] if column not in value.columns]
        if missing:
            raise EvaluationError(
                f"`{name}` has no columns {', '.join(missing)}; it has {', '.join(map(str, value.columns))}. "
                f"Expected {', '.join(ATTACHMENTS[name])}."
            )


def attach_limitations(limitations: Sequence[str], attached: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the limitations of an evaluation with those of what is attached; what it replaces takes its own away.

    Example:
        >>> attach_limitations(("Robustness: old.", "Of all."), {"robustness": None})
        ('Of all.',)
    """
    own = [one for one in limitations if not any(one in section_limitations(limitations, name) for name in attached)]
    new = [
        f"{_heading(name)}{limitation}"
        for name, value in attached.items()
        for limitation in getattr(value, "limitations", ())
    ]
    return (*own, *new)


def section_limitations(limitations: Sequence[str], section: str) -> list[str]:
    """Return those limitations that came with a section, the name of the section before each."""
    return [one for one in limitations if one.startswith(_heading(section))]


def _heading(section: str) -> str:
    return f"{section.capitalize()}: "
