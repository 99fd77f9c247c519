"""Tables of text: aligned columns for the terminal, or Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Markup of Markdown: code, emphasis, links, cells. Underscores within a word are not markup, nor are "<" and "&" that
# begin no tag and no entity. Characters that some renderers do not accept after a backslash are written as entities.
_MARKUP = re.compile(r"[\\`*\[|]|(?<![^\W_])_|_(?![^\W_])")
_ENTITIES = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)|[$~]")


def text_table(rows: Sequence[Sequence[str]], *, rule: bool = False) -> str:
    """Return rows of text as a table with aligned columns.

    Args:
        rows: The header and the rows, all of the same length.
        rule: Whether to put a line of hyphens below the header.

    Example:
        >>> print(text_table([["case", "images"], ["14-22549", "16"]], rule=True))
        case      images
        --------  ------
        14-22549  16
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join([head, *(["  ".join("-" * width for width in widths)] if rule else []), *body])


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text, the first of them the header, as a Markdown table; markup in them is escaped.

    Example:
        >>> print(markdown_table([["case", "images"], ["14-22549", "16"]]))
        | case | images |
        | --- | --- |
        | 14-22549 | 16 |
    """
    head, *body = ([escape_markdown(cell) for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


def escape_markdown(text: str) -> str:
    r"""Return text with all markup of Markdown escaped, in one line.

    Example:
        >>> escape_markdown("my_net"), escape_markdown("x_y<c> *a*")
        ('my_net', 'x_y&lt;c> \\*a\\*')
    """
    in_one_line = " ".join(text.split("\n"))
    escaped = _MARKUP.sub(lambda found: f"\\{found[0]}", in_one_line)
    # "<" and "&" have named entities, the others numeric ones.
    return _ENTITIES.sub(lambda found: {"<": "&lt;", "&": "&amp;"}.get(found[0], f"&#{ord(found[0])};"), escaped)
