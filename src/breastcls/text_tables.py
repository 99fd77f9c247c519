"""Text: tables with aligned columns for the terminal or in Markdown, and counts with their noun."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Markup of Markdown: code, emphasis, links, cells. Underscores within a word are not markup, nor are "<" and "&" that
# begin no tag and no entity. Characters that some renderers do not accept after a backslash are written as entities.
_MARKUP = re.compile(r"[\\`*\[|]|(?<![^\W_])_|_(?![^\W_])")
_ENTITIES = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)|[$~]")


def format_count(count: int, singular: str, plural: str | None = None) -> str:
    """Return a count with its noun.

    Example:
        >>> format_count(1, "case"), format_count(277524, "patch", "patches")
        ('1 case', '277,524 patches')
    """
    return f"{count:,} {choose_form(count, singular, plural)}"


def choose_form(count: int, singular: str, plural: str | None = None) -> str:
    """Return the form of a noun or a verb that goes with a count.

    Args:
        count: The count.
        singular: The form for one: "case", "is".
        plural: The form for any other count; by default the singular with an s.

    Example:
        >>> choose_form(1, "is", "are"), choose_form(0, "case")
        ('is', 'cases')
    """
    return singular if count == 1 else f"{singular}s" if plural is None else plural


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


def wide_table(rows: Sequence[Sequence[str]], *, names: int = 1, width: int = 80) -> str:
    """Return rows of text as tables below each other, each with as many of the columns as a terminal has room for.

    Nothing is left out: a column that is wider than the terminal has a table of its own.

    Args:
        rows: The header and the rows, all of the same length.
        names: How many of the first columns name the row; every table repeats them.
        width: Characters of a line.

    Example:
        >>> print(wide_table([["case", "images", "error"], ["14-22549", "16", "0.5"]], width=16))
        case      images
        14-22549  16
        <BLANKLINE>
        case      error
        14-22549  0.5
    """
    widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
    blocks: list[list[int]] = []
    for place in range(names, len(widths)):
        used = sum(widths[one] for one in [*range(names), *(blocks[-1] if blocks else [])]) - 2
        if not blocks or used + widths[place] > width:
            blocks.append([])
        blocks[-1].append(place)
    shown = [[*range(names), *block] for block in blocks or [[]]]
    return "\n\n".join(text_table([[row[place] for place in places] for row in rows]) for places in shown)


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


def limitation_lines(limitations: Sequence[str]) -> list[str]:
    """Return the lines that list limitations below a text, none without limitations."""
    return ["", "Limitations", *(f"  - {limitation}" for limitation in limitations)] if limitations else []
