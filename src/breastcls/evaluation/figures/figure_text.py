"""What a figure is accompanied by in the HTML report: an alternative text and a caption."""

from __future__ import annotations

from typing import NamedTuple


class FigureText(NamedTuple):
    """The words of a figure.

    Attributes:
        alt: What the figure shows, with its main values, for those who do not see it.
        caption: How to read it; shown below the figure.
    """

    alt: str
    caption: str


def in_percent(confidence: float) -> str:
    """Return a confidence as it is written before "CI".

    Example:
        >>> in_percent(0.95), in_percent(0.995)
        ('95%', '99.5%')
    """
    return f"{100 * confidence:g}%"
