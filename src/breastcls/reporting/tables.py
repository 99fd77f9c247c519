"""The table of metrics as text for papers and notes."""

from __future__ import annotations

import pandas as pd

from breastcls.reporting.scores import read_scores
from breastcls.reporting.wording import describe_metric, format_interval, format_number

_HEADER = ("Metric", "Value", "Interval")
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
        "−": "$-$",
        "–": "--",
    }
)


def _rows(metrics: pd.DataFrame, digits: int) -> list[tuple[str, str, str]]:
    return [
        (
            describe_metric(name).name,
            format_number(score.value, digits),
            format_interval(score.low, score.high, digits),
        )
        for name, score in read_scores(metrics).items()
    ]


def to_markdown(metrics: pd.DataFrame, *, digits: int = 3) -> str:
    """Return a table of metrics as Markdown.

    Args:
        metrics: One row a metric, columns `value`, `low`, `high`: `Evaluation.metrics` or its like.
        digits: Decimals.

    Returns:
        The table, its columns aligned, ending in a newline. What is NaN is "not defined".

    Example:
        >>> import pandas as pd
        >>> metrics = pd.DataFrame({"value": [0.8912], "low": [0.801], "high": [0.95]}, index=["roc_auc"])
        >>> print(to_markdown(metrics), end="")
        | Metric                   | Value | Interval       |
        | :----------------------- | ----: | -------------: |
        | Area under the ROC curve | 0.891 | 0.801 to 0.950 |
    """
    rows = [tuple(cell.replace("|", r"\|") for cell in row) for row in _rows(metrics, digits)]
    widths = [max(len(row[column]) for row in [_HEADER, *rows]) for column in range(3)]
    lines = [
        f"| {_HEADER[0]:<{widths[0]}} | {_HEADER[1]:>{widths[1]}} | {_HEADER[2]:<{widths[2]}} |",
        f"| :{'-' * (widths[0] - 1)} | {'-' * (widths[1] - 1)}: | {'-' * (widths[2] - 1)}: |",
    ]
    lines += [
        f"| {name:<{widths[0]}} | {value:>{widths[1]}} | {interval:>{widths[2]}} |" for name, value, interval in rows
    ]
    return "\n".join(lines) + "\n"


def to_latex(metrics: pd.DataFrame, *, digits: int = 3) -> str:
    r"""Return a table of metrics as LaTeX for the package booktabs.

    Args:
        metrics: One row a metric, columns `value`, `low`, `high`.
        digits: Decimals.

    Returns:
        A `tabular` environment ending in a newline. What is NaN is "not defined".

    Example:
        >>> import pandas as pd
        >>> metrics = pd.DataFrame({"value": [-0.1], "low": [-0.3], "high": [0.12]}, index=["mcc"])
        >>> print(to_latex(metrics, digits=2).splitlines()[4])
        Matthews correlation & $-$0.10 & $-$0.30 to 0.12 \\
    """
    lines = [r"\begin{tabular}{lrr}", r"\toprule", " & ".join(_HEADER) + r" \\", r"\midrule"]
    lines += [" & ".join(cell.translate(_LATEX_ESCAPES) for cell in row) + r" \\" for row in _rows(metrics, digits)]
    lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"
