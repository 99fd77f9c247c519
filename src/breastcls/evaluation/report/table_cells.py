"""Cells of the tables of the report: what each shows, and what it is sorted by."""

from __future__ import annotations

from breastcls.evaluation.report.blocks import Cell
from breastcls.intervals.score_values import Score
from breastcls.metrics.number_format import NOT_ESTIMABLE, is_defined


def score_cell(score: Score) -> Cell:
    """Return a cell of a value with its confidence interval below it."""
    defined = is_defined(score.value)
    detail = "" if not defined else score.interval_text if score.has_interval else f"CI {NOT_ESTIMABLE}"
    return Cell(score.value_text, sort_value(score.value), detail, undefined=not defined)


def count_cell(count: float) -> Cell:
    """Return a cell of a count."""
    return Cell(f"{count:,.0f}", f"{count:.0f}")


def text_cell(text: str) -> Cell:
    """Return a cell that is sorted by its text."""
    return Cell(text, text)


def sort_value(value: float) -> str:
    """Return what the script sorts a number by; "" where it is not defined."""
    return repr(float(value)) if is_defined(value) else ""
