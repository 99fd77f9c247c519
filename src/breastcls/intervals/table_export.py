"""Tables of values with confidence intervals as Markdown and LaTeX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from breastcls.intervals.score_values import read_levels, read_scores
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import NOT_ESTIMABLE, format_interval, format_number, is_defined
from breastcls.text_tables import escape_markdown

Rows = list[tuple[str, ...]]

_LATEX_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        # In the old encoding OT1, LaTeX's default, these keys print other characters.
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        # After the end of a row, a star or a bracket would belong to it.
        "*": "{*}",
        "[": "{[}",
        "]": "{]}",
        "\n": " ",
        "−": "$-$",
        "–": "--",
    }
)


def to_markdown(table: pd.DataFrame, *, digits: int = 3, positive: str | None = None) -> str:
    """Return a table as Markdown.

    A figure `x` with the columns `x_low` and `x_high` beside it is written as one cell, "0.812 (0.701 to 0.900)".

    Args:
        table: `Evaluation.metrics` or any other table of an evaluation.
        digits: Decimals.
        positive: The positive class, which the column of metrics then names.

    Returns:
        The table, its columns aligned, ending in a newline. A value that is NaN is "not defined", an interval "not
        estimable"; the columns `reason` are left out.

    Example:
        >>> import pandas as pd
        >>> metrics = pd.DataFrame({"value": [0.8912], "low": [0.801], "high": [0.95]}, index=["roc_auc"])
        >>> print(to_markdown(metrics), end="")
        | Metric                   | Value | Interval       |
        | :----------------------- | ----: | -------------: |
        | Area under the ROC curve | 0.891 | 0.801 to 0.950 |
    """
    header, rows, named = _as_text(table, digits, positive)
    cells = [tuple(escape_markdown(cell) for cell in row) for row in [header, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        padded = [
            f"{cell:<{width}}" if place < named or row is cells[0] else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(padded)} |")
    rule = [f":{'-' * (width - 1)}" if place < named else f"{'-' * (width - 1)}:" for place, width in enumerate(widths)]
    lines.insert(1, f"| {' | '.join(rule)} |")
    return "\n".join(lines) + "\n"


def to_latex(table: pd.DataFrame, *, digits: int = 3, positive: str | None = None) -> str:
    r"""Return a table as LaTeX for the package booktabs.

    Args:
        table: As in `to_markdown`.
        digits: Decimals.
        positive: As in `to_markdown`.

    Returns:
        A `tabular` environment ending in a newline. What is NaN is "not defined".

    Example:
        >>> import pandas as pd
        >>> metrics = pd.DataFrame({"value": [-0.1], "low": [-0.3], "high": [0.12]}, index=["mcc"])
        >>> print(to_latex(metrics, digits=2).splitlines()[4])
        Matthews correlation & $-$0.10 & $-$0.30 to 0.12 \\
    """
    header, rows, named = _as_text(table, digits, positive)
    lines = [rf"\begin{{tabular}}{{{'l' * named}{'r' * (len(header) - named)}}}", r"\toprule"]
    lines += [" & ".join(cell.translate(_LATEX_ESCAPES) for cell in header) + r" \\", r"\midrule"]
    lines += [" & ".join(cell.translate(_LATEX_ESCAPES) for cell in row) + r" \\" for row in rows]
    lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _as_text(table: pd.DataFrame, digits: int, positive: str | None) -> tuple[tuple[str, ...], Rows, int]:
    """Return header, rows, and how many of the first columns are names."""
    metric = "Metric" if positive is None else f"Metric (positive class {positive})"
    rows: Rows
    if list(table.index.names) == ["level", "metric"]:
        levels, rows = _levels(table, digits)
        return (metric, *levels), rows, 1
    if [name for name in table.columns if name != "reason"] == ["value", "low", "high"] and table.index.nlevels == 1:
        rows = [
            (describe_metric(name).name, score.value_text_of(digits), score.interval_text_of(digits))
            for name, score in read_scores(table).items()
        ]
        return (metric, "Value", "Interval"), rows, 1
    numbered = table.index.nlevels == 1 and isinstance(table.index, pd.RangeIndex)
    names = [] if numbered else [_title(str(name or "")) for name in table.index.names]
    columns = [str(name) for name in table.columns]
    bounds = {f"{name}_{end}" for name in columns for end in ("low", "high", "reason")} | {"reason"}
    shown = [name for name in columns if name not in bounds]
    rows = []
    for key, row in zip(table.index, table.to_dict("records"), strict=True):
        keys = key if isinstance(key, tuple) else (key,)
        cells = [] if numbered else [_plain(part, digits) for part in keys]
        for name in shown:
            ends = (row.get(f"{name}_low"), row.get(f"{name}_high"))
            text = _plain(row[name], digits)
            with_interval = f"{name}_low" in row and pd.notna(row[name])
            cells.append(f"{text} ({_interval(*ends, digits)})" if with_interval else text)
        rows.append(tuple(cells))
    # The columns of a confusion matrix are classes, whose names are not changed.
    titles = shown if table.columns.name == "predicted" else [_title(name) for name in shown]
    return (*names, *titles), rows, max(1, len(names))


def _levels(table: pd.DataFrame, digits: int) -> tuple[tuple[str, ...], Rows]:
    levels = read_levels(table)
    rows: Rows = []
    for name in next(iter(levels.values())):
        found = [scores[name] for scores in levels.values()]
        texts = [
            f"{score.value_text_of(digits)} ({_interval(score.low, score.high, digits)})"
            if is_defined(score.value)
            else score.value_text_of(digits)
            for score in found
        ]
        rows.append((describe_metric(name).name, *texts))
    return tuple(f"By {level}" for level in levels), rows


def _interval(low: Any, high: Any, digits: int) -> str:
    """Return an interval that stands in brackets beside its value."""
    return format_interval(low, high, digits) if is_defined(low) and is_defined(high) else f"CI {NOT_ESTIMABLE}"


def _plain(value: Any, digits: int) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{value}"
    if isinstance(value, (float, np.floating)):
        return format_number(value, digits)
    return str(value)


def _title(name: str) -> str:
    known = describe_metric(name)
    return known.short if known.meaning else known.name
