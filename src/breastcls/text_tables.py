"""Rows of text as a table: in columns for the terminal, or as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

# What Markdown reads as its own: code, emphasis, links, cells; underscores within a word it leaves alone, as it does
# "<" and "&" that begin no tag and no entity. What some readers cannot take a backslash before is written as an entity.
_MARKUP = re.compile(r"[\\`*\[|]|(?<![^\W_])_|_(?![^\W_])")
_ENTITIES = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)|[$~]")


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
    """Return rows of text, the first of them the heads, as a Markdown table that shows them as they are.

    Example:
        >>> print(markdown_table([["case", "images"], ["14-22549", "16"]]))
        | case | images |
        | --- | --- |
        | 14-22549 | 16 |
    """
    head, *body = ([escape_markdown(cell) for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


def escape_markdown(text: str) -> str:
    r"""Return text such that Markdown shows it as it is, in one line.

    Example:
        >>> escape_markdown("my_net"), escape_markdown("x_y<c> *a*")
        ('my_net', 'x_y&lt;c> \\*a\\*')
    """
    in_one_line = " ".join(text.split("\n"))
    escaped = _MARKUP.sub(lambda found: f"\\{found[0]}", in_one_line)
    # "<" and "&" have names, the others are known by their numbers.
    return _ENTITIES.sub(lambda found: {"<": "&lt;", "&": "&amp;"}.get(found[0], f"&#{ord(found[0])};"), escaped)
