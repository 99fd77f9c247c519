"""Tables of values with confidence intervals as Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from breastcls.intervals.score_values import read_levels, read_scores
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_estimate, format_number
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
        "±": r"$\pm$",
        "×": r"$\times$",
        "“": "``",
        "”": "''",
    }
)


def to_markdown(table: pd.DataFrame, *, digits: int = 3, positive: str | None = None) -> str:
    """Return a table as Markdown.

    A figure `x` with the columns `x_low` and `x_high` beside it is written as one cell, "0.812 (0.701–0.900)".

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
    return latex_table([header, *rows], names=named)


def latex_table(rows: Sequence[Sequence[str]], *, names: int = 1, notes: Sequence[str] = ()) -> str:
    r"""Return rows of text as LaTeX for the package booktabs; all special characters are escaped.

    Args:
        rows: The header and the rows, all of the same length.
        names: How many of the first columns are names, which are aligned at the left.
        notes: Sentences below the table.

    Example:
        >>> print(latex_table([["model", "AUC"], ["my_net", "0.87 (0.81–0.92)"]]), end="")
        \begin{tabular}{lr}
        \toprule
        model & AUC \\
        \midrule
        my\_net & 0.87 (0.81--0.92) \\
        \bottomrule
        \end{tabular}
    """
    header, *body = (" & ".join(escape_latex(cell) for cell in row) + r" \\" for row in rows)
    lines = [rf"\begin{{tabular}}{{{'l' * names}{'r' * (len(rows[0]) - names)}}}", r"\toprule", header, r"\midrule"]
    lines += [*body, r"\bottomrule", r"\end{tabular}"]
    if notes:
        lines += ["", r"\smallskip", rf"\footnotesize {' '.join(map(escape_latex, notes))}"]
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    r"""Return text with the special characters of LaTeX escaped.

    Example:
        >>> print(escape_latex("90% of my_net"))
        90\% of my\_net
    """
    return text.translate(_LATEX_ESCAPES)


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
            cells.append(format_estimate(row[name], *ends, digits) if f"{name}_low" in row else text)
        rows.append(tuple(cells))
    # The columns of a confusion matrix are classes, whose names are not changed.
    titles = shown if table.columns.name == "predicted" else [_title(name) for name in shown]
    return (*names, *titles), rows, max(1, len(names))


def _levels(table: pd.DataFrame, digits: int) -> tuple[tuple[str, ...], Rows]:
    levels = read_levels(table)
    rows: Rows = []
    for name in next(iter(levels.values())):
        found = [scores[name] for scores in levels.values()]
        texts = [format_estimate(score.value, score.low, score.high, digits) for score in found]
        rows.append((describe_metric(name).name, *texts))
    return tuple(f"By {level}" for level in levels), rows


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
