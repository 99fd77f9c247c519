"""Parts of HTML that results show in a notebook and on their page: text, tables and lists, with all text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from breastcls.control_characters import show_controls


def html_text(text: str) -> str:
    """Return text of a terminal as HTML that keeps its lines.

    Example:
        >>> html_text("a < b")
        '<pre style="white-space: pre-wrap">a &lt; b</pre>'
    """
    return f'<pre style="white-space: pre-wrap">{_escape(text)}</pre>'


def html_paragraph(text: str) -> str:
    """Return a paragraph; nothing for no text."""
    return f"<p>{_escape(text)}</p>" if text else ""


def html_table(rows: Sequence[Sequence[str]], *, caption: str = "", names: int = 1) -> str:
    """Return a table.

    Args:
        rows: The header and the rows, all of the same length.
        caption: Text above the table.
        names: How many of the first columns name the row.

    Example:
        >>> html_table([["case", "images"], ["14-22549", "16"]])  # doctest: +ELLIPSIS
        '<table><thead><tr><th scope="col">case</th>...<th scope="row">14-22549</th><td>16</td></tr></tbody></table>'
    """
    head, *body = ([_escape(cell) for cell in row] for row in rows)
    titles = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    lines = [
        "<tr>"
        + "".join(f'<th scope="row">{cell}</th>' for cell in row[:names])
        + "".join(f"<td>{cell}</td>" for cell in row[names:])
        + "</tr>"
        for row in body
    ]
    above = f"<caption>{_escape(caption)}</caption>" if caption else ""
    return f"<table>{above}<thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def html_list(title: str, sentences: Sequence[str]) -> str:
    """Return a list of sentences below its title, if it has one; nothing without sentences."""
    if not sentences:
        return ""
    items = "".join(f"<li>{_escape(sentence)}</li>" for sentence in sentences)
    above = f"<p><strong>{_escape(title)}</strong></p>" if title else ""
    return f"{above}<ul>{items}</ul>"


def _escape(text: str) -> str:
    return escape(show_controls(text))
