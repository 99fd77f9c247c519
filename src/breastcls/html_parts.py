"""Parts of HTML that results show in a notebook and on their page: text, tables and lists, with all text escaped."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from html import escape

from breastcls.control_characters import show_controls


def html_text(text: str) -> str:
    """Return text of a terminal as HTML that keeps its lines.

    Example:
        >>> html_text("a < b")
        '<pre style="white-space: pre-wrap; font-family: monospace">a &lt; b</pre>'
    """
    return f'<pre style="white-space: pre-wrap; font-family: monospace">{_escape(text)}</pre>'


def html_paragraph(text: str) -> str:
    """Return a paragraph; nothing for no text."""
    return f"<p>{_escape(text)}</p>" if text else ""


def html_table(rows: Sequence[Sequence[str]], *, caption: str = "", names: int = 1, left: bool = False) -> str:
    """Return a table.

    Args:
        rows: The header and the rows, all of the same length.
        caption: Text above the table.
        names: How many of the first columns name the row.
        left: Align the cells to the left, for text; notebooks align them to the right.

    Example:
        >>> html_table([["case", "images"], ["14-22549", "16"]])  # doctest: +ELLIPSIS
        '<div style="overflow-x: auto"><table><thead><tr><th scope="col">case</th>...<td>16</td>...</table></div>'
    """
    head, *body = ([_escape(cell) for cell in row] for row in rows)
    style = ' style="text-align: left"' if left else ""
    titles = "".join(f'<th scope="col"{style}>{cell}</th>' for cell in head)
    lines = [
        "<tr>"
        + "".join(f'<th scope="row"{style}>{cell}</th>' for cell in row[:names])
        + "".join(f"<td{style}>{cell}</td>" for cell in row[names:])
        + "</tr>"
        for row in body
    ]
    above = f"<caption>{_escape(caption)}</caption>" if caption else ""
    table = f"<table>{above}<thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    # A table that is wider than the page has a scroll bar of its own.
    return f'<div style="overflow-x: auto">{table}</div>'


def html_list(title: str, sentences: Sequence[str]) -> str:
    """Return a list of sentences below its title, if it has one; nothing without sentences."""
    if not sentences:
        return ""
    items = "".join(f"<li>{_escape(sentence)}</li>" for sentence in sentences)
    above = f"<p><strong>{_escape(title)}</strong></p>" if title else ""
    return f"{above}<ul>{items}</ul>"


def html_fields(title: str, fields: Mapping[str, object]) -> str:
    """Return the fields of a record as a table; of long values the beginning, and how many there are.

    Example:
        >>> html_fields("Threshold", {"value": 0.52, "cases": ()})  # doctest: +ELLIPSIS
        '<div style="overflow-x: auto"><table><caption>Threshold</caption>...>0.52</td>...'
    """
    rows = [[name, describe_value(value)] for name, value in fields.items()]
    return html_table([["field", "value"], *rows], caption=title, left=True)


def describe_value(value: object, longest: int = 160) -> str:
    """Return a value as short text.

    Example:
        >>> describe_value(0.123456), describe_value(None), describe_value(tuple(range(100)))
        ('0.1235', '-', '100 values: 0, 1, 2, 3, 4, 5, ...')
    """
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        text = ", ".join(f"{name}: {describe_value(item)}" for name, item in value.items()) or "none"
    elif hasattr(value, "shape") and hasattr(value, "dtype"):
        text = f"{value.dtype} {tuple(value.shape)}"
    elif isinstance(value, (tuple, list, set, frozenset)):
        items = list(value)
        text = ", ".join(map(describe_value, items[:6])) or "none"
        text = f"{len(items):,} values: {text}, ..." if len(items) > 6 else text
    else:
        text = repr(value) if dataclasses.is_dataclass(value) else str(value)
    return text if len(text) <= longest else f"{text[: longest - 4]} ..."


def html_pictures(pictures: Sequence[tuple[bytes, str]]) -> str:
    """Return PNG, JPEG or WebP pictures in a row that wraps, each with its caption; the bytes are part of the HTML."""
    figures = [
        f'<figure style="margin: 0; max-width: 100%"><img alt="{_escape(caption)}" style="max-width: 100%" '
        f'src="{picture_address(data)}">'
        f"<figcaption>{_escape(caption)}</figcaption></figure>"
        for data, caption in pictures
    ]
    return f'<div style="display: flex; flex-wrap: wrap; gap: 1em">{"".join(figures)}</div>' if figures else ""


def picture_address(data: bytes) -> str:
    """Return the `data:` address of a PNG, JPEG or WebP picture, which makes it part of the page."""
    kind = "png" if data[:4] == b"\x89PNG" else "webp" if data[:4] == b"RIFF" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _escape(text: str) -> str:
    return escape(show_controls(text))
