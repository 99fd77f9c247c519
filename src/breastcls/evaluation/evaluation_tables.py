"""The tables of an evaluation by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluation_schema import TABLES
from breastcls.metrics.metric_descriptions import describe_subtype

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation


def table_of(evaluation: Evaluation, name: str) -> pd.DataFrame:
    """Return a table of an evaluation by the name of its field; "calibration" holds its errors, gap and Brier parts.

    Raises:
        EvaluationError: If there is no table of that name, or this evaluation does not have it.
    """
    names = (*TABLES, "calibration")
    if name not in names:
        raise EvaluationError(f"An evaluation has no table {name!r}; its tables: {', '.join(names)}.")
    table: Any = getattr(evaluation, name)
    if table is None:
        held = [other for other in names if getattr(evaluation, other) is not None]
        raise EvaluationError(f"This evaluation does not have the table {name!r}; it has {', '.join(held)}.")
    if name == "calibration":
        parts: list[pd.DataFrame] = [table.errors, table.gap, table.brier]
        return pd.concat(parts)
    assert isinstance(table, pd.DataFrame), name
    if name == "by_subtype":
        return table.rename(index=lambda code: describe_subtype(str(code)))
    return table
