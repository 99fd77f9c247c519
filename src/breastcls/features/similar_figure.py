"""A figure of images, each beside its most similar images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from breastcls.drawing.figures import MUTED, TWO_COLUMNS, drawing_style, new_figure, relative_height

_SMALL = {"fontsize": 6.5, "fontweight": "normal"}


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
        columns: How many similar images a row has at most.
        total: How many images there are; where that is more than the rows, the figure says so.
        text: What was compared, below the figure.
    """
    count = len(rows)
    width = TWO_COLUMNS / (columns + 1)
    heights = [relative_height(row.image) for row in rows]
    with drawing_style():
        figure = new_figure(TWO_COLUMNS, sum(heights) * width + 16.0 * count + 12.0)
        figure.suptitle("Most similar training images, of other cases", fontsize=9.0)
        axes = figure.subplots(count, columns + 1, squeeze=False, height_ratios=heights)
        for row, cells in zip(rows, axes, strict=True):
            _show(cells[0], row.image, row.caption, _shorten(row.name), weight="bold")
            for place, cell in enumerate(cells[1:]):
                if place < len(row.near):
                    picture, above, below = row.near[place]
                    _show(cell, picture, above, below)
                else:
                    cell.set_visible(False)
        more = f"The first {count} of {total} images. " if count < total else ""
        figure.supxlabel(f"{more}{text}", color=MUTED, fontsize=6.5)
    return figure


def _shorten(name: str) -> str:
    # The end of the names of BreakHis and IDC distinguishes images.
    return name if len(name) <= 20 else f"…{name[-19:]}"


def _show(axis: Any, picture: np.ndarray | None, above: str, below: str, weight: str = "normal") -> None:
    if picture is None:
        axis.text(0.5, 0.5, "the file is not\non this machine", ha="center", va="center", color=MUTED, fontsize=6.5)
    else:
        axis.imshow(picture)
    axis.set_title(above, **{**_SMALL, "fontweight": weight})
    axis.set_xlabel(below, color=MUTED, fontsize=6.0, loc="left")
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
