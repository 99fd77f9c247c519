"""A figure of images, each beside its most similar images."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from breastcls.drawing.figures import MUTED, TWO_COLUMNS, drawing_style, new_figure, relative_height

_SMALL = {"fontsize": 6.5, "fontweight": "normal"}
# The width of a character above an image, and the least width of an image, in millimetres.
_CHARACTER, _LEAST_COLUMN, _LINE = 1.6, 27.0, 3.0
NONE = "no image of\nanother case"


@dataclass(frozen=True, eq=False)
class SimilarRow:
    """One row of the figure.

    Attributes:
        image: uint8 (height, width, 3), RGB.
        caption: Above the image: its prediction and its label.
        name: Below the image.
        near: For each similar image the picture or None, the text above it and the text below it.
    """

    image: np.ndarray
    caption: str
    name: str
    near: Sequence[tuple[np.ndarray | None, str, str]]


def draw_similar(rows: Sequence[SimilarRow], *, columns: int, total: int, text: str) -> Any:
    """Draw the rows on one `matplotlib.figure.Figure`.

    Args:
        rows: At least one.
        columns: How many similar images a row has at most, at least 1.
        total: How many images there are; where that is more than the rows, the figure says so.
        text: What was compared, below the figure.
    """
    count = len(rows)
    width = max(TWO_COLUMNS / (columns + 1), _LEAST_COLUMN)
    heights = [relative_height(row.image) for row in rows]
    above = [[_wrap(text, width) for text in (row.caption, *(near[1] for near in row.near))] for row in rows]
    further = sum(max(0, max(text.count("\n") for text in of_row) - 1) for of_row in above)
    with drawing_style():
        figure = new_figure((columns + 1) * width, sum(heights) * width + 16.0 * count + 12.0 + _LINE * further)
        figure.suptitle("Most similar training images, of other cases", fontsize=9.0)
        axes = figure.subplots(count, columns + 1, squeeze=False, height_ratios=heights)
        for row, texts, cells in zip(rows, above, axes, strict=True):
            _show(cells[0], row.image, texts[0], _shorten(row.name), weight="bold")
            for place, cell in enumerate(cells[1:]):
                if place < len(row.near):
                    picture, _, below = row.near[place]
                    _show(cell, picture, texts[place + 1], _shorten(below))
                else:
                    cell.set_axis_off()
            if not row.near:
                _write(cells[1], NONE)
        more = f"The first {count} of {total} images. " if count < total else ""
        figure.supxlabel(f"{more}{text}", color=MUTED, fontsize=6.5)
    return figure


def _wrap(text: str, width: float) -> str:
    return "\n".join(textwrap.fill(line, int(width / _CHARACTER)) for line in text.splitlines())


def _write(axis: Any, text: str) -> None:
    axis.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, fontsize=6.5, transform=axis.transAxes)


def _shorten(name: str) -> str:
    # The end of the names of BreakHis and IDC distinguishes images.
    return name if len(name) <= 20 else f"…{name[-19:]}"


def _show(axis: Any, picture: np.ndarray | None, above: str, below: str, weight: str = "normal") -> None:
    if picture is None:
        _write(axis, "the file is not\non this machine")
    else:
        axis.imshow(picture)
    axis.set_title(above, **{**_SMALL, "fontweight": weight})
    axis.set_xlabel(below, color=MUTED, fontsize=6.0, loc="left")
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
