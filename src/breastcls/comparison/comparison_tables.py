"""The tables of a comparison for publication: names of metrics, confidence intervals in one cell, small p-values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import NOT_DEFINED, format_estimate, format_interval, format_number, is_defined

TABLES = ("metrics", "differences", "tests")
_P_VALUES = {
    "delong_p": "DeLong p",
    "delong_p_holm": "DeLong p (Holm)",
    "mcnemar_p": "McNemar p",
    "mcnemar_p_holm": "McNemar p (Holm)",
}
Rows = list[list[str]]


def comparison_rows(
    tables: Mapping[str, pd.DataFrame],
    name: str,
    *,
    digits: int = 3,
    confidence: float = 0.95,
    metrics: Sequence[str] | None = None,
) -> Rows:
    """Return the header and the rows of a table of a comparison as text.

    Args:
        tables: `Comparison.tables`.
        name: "metrics" (one row per model, without metrics that no model has), "differences" or "tests".
        digits: Decimals; p-values are written "<0.001" where they would be 0.
        confidence: Of the intervals, for the header.
        metrics: Only these; all by default.

    Raises:
        EvaluationError: If there is no such table.
    """
    if name not in TABLES:
        raise EvaluationError(f"A comparison has no table {name!r}; its tables: {', '.join(TABLES)}.")
    percent = f"{100 * confidence:g}%"
    if name == "metrics":
        return _metric_rows(tables["scores"], digits, percent, metrics)
    if name == "differences":
        return _difference_rows(tables["differences"], digits, percent, metrics)
    rows = [["First", "Second", *_P_VALUES.values()]]
    for (first, second), row in zip(tables["tests"].index, tables["tests"].to_dict("records"), strict=True):
        rows.append([str(first), str(second), *(format_p(row[column], digits) for column in _P_VALUES)])
    return rows


def _metric_rows(scores: pd.DataFrame, digits: int, percent: str, metrics: Sequence[str] | None) -> Rows:
    models = list(dict.fromkeys(scores.index.get_level_values("model")))
    values = scores["value"].unstack("model")
    known = [name for name in dict.fromkeys(scores.index.get_level_values("metric")) if values.loc[name].notna().any()]
    shown = [name for name in known if metrics is None or name in metrics]
    rows = [[f"Model ({percent} CI)", *(describe_metric(str(name)).short for name in shown)]]
    for model in models:
        found: pd.DataFrame = scores.loc[scores.index.get_level_values("model") == model].droplevel("model")
        score = {str(name): row for name, row in found.to_dict("index").items()}
        cells = [
            format_estimate(score[str(name)]["value"], score[str(name)]["low"], score[str(name)]["high"], digits)
            for name in shown
        ]
        rows.append([str(model), *cells])
    return rows


def _difference_rows(table: pd.DataFrame, digits: int, percent: str, metrics: Sequence[str] | None) -> Rows:
    pairs = len({(first, second) for first, second, _ in table.index})
    adjusted = [f"{percent} CI (Holm)", "p (Holm)"] if pairs > 1 else []
    rows = [["First", "Second", "Metric", f"Difference ({percent} CI)", "p", *adjusted]]
    for (first, second, metric), row in zip(table.index, table.to_dict("records"), strict=True):
        if metrics is not None and metric not in metrics:
            continue
        estimate = format_estimate(row["difference"], row["low"], row["high"], digits)
        cells = [str(first), str(second), describe_metric(str(metric)).name, estimate, format_p(row["p"], digits)]
        if pairs > 1:
            bounds = format_interval(row["low_adjusted"], row["high_adjusted"], digits)
            cells += [bounds, format_p(row["p_holm"], digits)]
        rows.append(cells)
    return rows


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
