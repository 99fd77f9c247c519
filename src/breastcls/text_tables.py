"""Rows of text as a table: in columns for the terminal, or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def plain_table(rows: Sequence[Sequence[str]], *, rule: bool = False) -> str:
    """Return rows of text, the first of them the heads, in columns.

    Args:
        rows: All of the same length.
        rule: Whether a line of hyphens stands under the heads.

    Example:
        >>> print(plain_table([["case", "images"], ["14-22549", "16"]], rule=True))
        case      images
        --------  ------
        14-22549  16
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join([head, *(["  ".join("-" * width for width in widths)] if rule else []), *body])


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text, the first of them the heads, as a Markdown table.

    Example:
        >>> print(markdown_table([["case", "images"], ["14-22549", "16"]]))
        | case | images |
        | --- | --- |
        | 14-22549 | 16 |
    """
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))
