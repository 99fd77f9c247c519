"""The tables of a cross-validation as text."""

from __future__ import annotations

import numpy as np
import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluation import Evaluation
from breastcls.intervals.printed_table import table_cells
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_estimate, format_number

TABLES = ("metrics", "by_fold")
FOLDS_NOTE = (
    "The values of single folds show their variation only: folds are small and share training images. The confidence "
    "intervals are over the cases of all folds."
)
Rows = list[list[str]]


def cross_validation_rows(table: str, evaluation: Evaluation, by_fold: pd.DataFrame, digits: int = 3) -> Rows:
    """Return the header and the rows of a table as text.

    Args:
        table: "metrics" (each with its confidence interval in one cell, and mean and range of the folds where known)
            or "by_fold".
        evaluation: The evaluation of all folds together.
        by_fold: `CrossValidation.by_fold`.
        digits: Decimals.

    Raises:
        EvaluationError: If there is no such table.
    """
    if table not in TABLES:
        raise EvaluationError(f"A cross-validation has no table {table!r}; its tables: {', '.join(TABLES)}.")
    if table == "by_fold":
        named = by_fold.rename(columns=lambda name: describe_metric(str(name)).short)
        rows, _ = table_cells(named, digits)
        return [[rows[0][0].capitalize(), *rows[0][1:]], *rows[1:]]
    rows = [["Metric", f"All cases ({evaluation.percent} CI)", "Mean over folds (range)"]]
    for name, row in evaluation.metrics.iterrows():
        of_folds = by_fold[name].dropna().to_numpy() if name in by_fold else np.empty(0)
        over = ""
        if of_folds.size:
            mean, low, high = (
                format_number(value, digits) for value in (of_folds.mean(), of_folds.min(), of_folds.max())
            )
            over = f"{mean} ({low}–{high})"
        estimate = format_estimate(row["value"], row["low"], row["high"], digits)
        rows.append([describe_metric(str(name)).name, estimate, over])
    return rows
