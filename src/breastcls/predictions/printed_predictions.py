"""Predictions as text: a line of counts, and a table of the first rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from breastcls.control_characters import show_controls
from breastcls.html_parts import html_paragraph, html_table
from breastcls.models.engines.engine_record import engine_in_words
from breastcls.predictions.prediction_set_text import name_sets
from breastcls.text_tables import choose_form, format_count, text_table

_ROWS = 10
_WIDTH = 44


def describe_predictions(predictions: Any) -> str:
    """Return the counts, the first rows as a table, and what was left out, as text for a terminal."""
    return "\n".join([_describe_counts(predictions), "", text_table(_first_rows(predictions)), *_left_out(predictions)])


def show_predictions(predictions: Any) -> str:
    """Return the same as HTML for a notebook."""
    return (
        html_paragraph(_describe_counts(predictions))
        + html_table(_first_rows(predictions), left=True)
        + "".join(map(html_paragraph, _left_out(predictions)))
    )


def _left_out(predictions: Any) -> list[str]:
    lines = []
    if len(predictions) > _ROWS:
        lines.append(f"... {format_count(len(predictions) - _ROWS, 'further row')}; `to_frame()` has all.")
    if predictions.skipped is not None:
        count = len(predictions.skipped)
        lines.append(
            f"{format_count(count, 'image')} that cannot be read {choose_form(count, 'was', 'were')} left out; "
            "`skipped` has the reasons."
        )
    return lines


def _describe_counts(predictions: Any) -> str:
    units = format_count(len(predictions), predictions.level)
    if predictions.cases is not None and predictions.level != "case":
        units += f" of {format_count(pd.unique(predictions.cases).size, 'case')}"
    known = predictions.labels >= 0
    if known.any():
        counted = _count(predictions.classes, predictions.labels[known])
        counted += "" if known.all() else f", not known {int((~known).sum())}"
    else:
        counted = f"predicted: {_count(predictions.classes, predictions.decisions)}"
    threshold = "" if predictions.threshold is None else f", threshold {predictions.threshold:.4g}"
    engine = predictions.engine
    # The default is not worth a word.
    ran = f", by {engine_in_words(engine)}" if engine and (engine["name"] != "keras" or "note" in engine) else ""
    return f"Predictions: {units} ({counted}){threshold}{ran}"


def _count(classes: tuple[str, ...], indices: np.ndarray) -> str:
    counts = np.bincount(indices, minlength=len(classes))
    return ", ".join(f"{name} {count}" for name, count in zip(classes, counts, strict=True))


def _first_rows(predictions: Any) -> list[list[str]]:
    first = predictions[:_ROWS]
    binary = len(first.classes) == 2
    decisions = first.decisions
    numbers = first.positive if binary else first.probabilities[np.arange(len(first)), decisions]
    columns: dict[str, list[str]] = _names(predictions)
    if (predictions.labels >= 0).any():
        columns["true"] = [first.classes[label] if label >= 0 else "" for label in first.labels]
    columns["predicted"] = [first.classes[decision] for decision in decisions]
    columns[f"P({first.classes[-1]})" if binary else "P(predicted)"] = [f"{value:.3f}" for value in numbers]
    if first.prediction_sets is not None:
        columns["prediction set"] = name_sets(first.prediction_sets, first.classes)
    if first.ood is not None:
        columns["out-of-distribution"] = ["yes" if flag else "no" for flag in first.ood]
    rows = [list(columns), *(list(row) for row in zip(*columns.values(), strict=True))]
    return [[_shorten(show_controls(cell)) for cell in row] for row in rows]


def _names(predictions: Any) -> dict[str, list[str]]:
    """Return what names each of the first rows: its file, else its case or slide, else its position."""
    paths = predictions.relative_paths
    if paths is not None:
        named = [str(path) or f"image {row}" for row, path in enumerate(paths[:_ROWS])]
        return {"file": named}
    cases, slides = predictions.cases, predictions.slides
    if predictions.level == "slide" and slides is not None:
        return {"slide": list(map(str, slides[:_ROWS]))}
    if predictions.level == "case" and cases is not None:
        return {"case": list(map(str, cases[:_ROWS]))}
    return {predictions.level: [str(row) for row in range(min(_ROWS, len(predictions)))]}


def _shorten(text: str) -> str:
    """Return text in one line; of long text the end, which in a path is the name."""
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else f"...{line[3 - _WIDTH :]}"
