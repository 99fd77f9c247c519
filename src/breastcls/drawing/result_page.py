"""A page for one result: its text, tables and figures in one HTML file that opens offline."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from breastcls._version import __version__
from breastcls.drawing.html_page import page_environment, read_style
from breastcls.files import write_text
from breastcls.html_parts import html_table


class PagePart(NamedTuple):
    """A part of a page: its heading, and HTML in which all text is escaped."""

    heading: str
    body: str


def table_part(heading: str, rows: Sequence[Sequence[str]], *, caption: str = "", names: int = 1) -> PagePart:
    """Return a table that scrolls where the page is too narrow; see `breastcls.html_parts.html_table`."""
    return PagePart(heading, f'<div class="wide" tabindex="0">{html_table(rows, caption=caption, names=names)}</div>')


def write_result_page(path: str | os.PathLike[str], title: str, parts: Sequence[PagePart]) -> Path:
    """Write a page and return its path.

    Args:
        path: Where to write.
        title: Heading of the page; it is escaped.
        parts: From top to bottom.

    Raises:
        OutputError: If the file cannot be written.
    """
    page = page_environment("breastcls.drawing").get_template("result.html.j2")
    text = page.render(
        title=title,
        version=__version__,
        date=datetime.date.today().isoformat(),
        style=read_style("breastcls.drawing", "result.css"),
        parts=[PagePart(part.heading, Markup(part.body)) for part in parts if part.body],
    )
    return write_text(path, text)
