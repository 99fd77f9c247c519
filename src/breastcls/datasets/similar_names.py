"""Warnings about names of cases and slides that may be two spellings of one name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import pandas as pd

from breastcls.errors import DatasetWarning
from breastcls.identifiers import list_similar, similar_groups

SPELLING = "differ in spelling only (letter case, leading zeros, separators or accents)"


def warn_similar_names(
    names: pd.DataFrame | Mapping[str, Any], distinct: frozenset[str], *, stacklevel: int = 3
) -> None:
    """Warn if cases or slides are similar and not declared distinct.

    Args:
        names: Under "case" and "slide" the name of each image; None and missing values where it is not known.
        distinct: Names declared distinct.
        stacklevel: 3 for the caller of the function that calls this one.
    """
    found: dict[tuple[str, ...], str] = {}
    for column in ("slide", "case"):
        values = names[column]
        known = [] if values is None else pd.Series(values, dtype=object).dropna().unique().tolist()
        found |= dict.fromkeys(similar_groups(known, distinct), column)
    for column in ("case", "slide"):
        groups = [group for group, of in found.items() if of == column]
        if groups:
            warnings.warn(
                f"The {column}s {list_similar(groups)} {SPELLING}. Splits keep them in one part, and a split that "
                f"separates them counts as a possible leak. If they are one {column}, write them alike; if not, pass "
                f"distinct=[{groups[0]}].",
                DatasetWarning,
                stacklevel=stacklevel,
            )
