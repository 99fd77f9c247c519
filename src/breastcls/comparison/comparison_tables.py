"""The tables of a comparison for publication: names of metrics, confidence intervals in one cell, small p-values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import NOT_DEFINED, format_number, is_defined

_P_VALUES = {
    "p": "p",
    "p_holm": "p (Holm)",
    "delong_p": "DeLong p",
    "delong_p_holm": "DeLong p (Holm)",
    "mcnemar_p": "McNemar p",
    "mcnemar_p_holm": "McNemar p (Holm)",
}
_BOUNDS = {"low": "difference_low", "high": "difference_high"}


def comparison_table(tables: Mapping[str, pd.DataFrame], name: str, *, digits: int = 3) -> pd.DataFrame:
    """Return a table of a comparison for `to_markdown` and `to_latex` of `breastcls.intervals.table_export`.

    Args:
        tables: `Comparison.tables`.
        name: "metrics" (one row per model, without metrics that no model has), "differences" or "tests".
        digits: Decimals of p-values, which are written "<0.001" where they would be 0.

    Raises:
        EvaluationError: If there is no such table.
    """
    if name not in tables:
        raise EvaluationError(f"A comparison has no table {name!r}; its tables: {', '.join(tables)}.")
    if name == "metrics":
        by_model = tables[name].T.rename_axis(index="model")
        return by_model.dropna(axis="columns", how="all")
    table = tables[name].copy()
    for column in _P_VALUES.keys() & table.columns:
        table[column] = [format_p(value, digits) for value in table[column]]
    if name == "differences":
        table = table.rename(index=lambda metric: describe_metric(str(metric)).name, level="metric")
    return table.rename(columns=_P_VALUES | _BOUNDS)


def format_p(value: Any, digits: int = 3) -> str:
    """Write a p-value; one that would be 0 is below the smallest number of so many decimals.

    Example:
        >>> format_p(0.0312), format_p(0.00004), format_p(float("nan"))
        ('0.031', '<0.001', 'not defined')
    """
    if not is_defined(value):
        return NOT_DEFINED
    smallest = 10.0**-digits
    return f"<{format_number(smallest, digits)}" if value < smallest else format_number(value, digits)
