"""A figure with image, heat-map and overlay side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from breastcls.drawing.figures import BASELINE, MUTED, TWO_COLUMNS, drawing_style, new_figure
from breastcls.explanation.overlay import find_colour_map


@dataclass(frozen=True, eq=False)
class PanelRow:
    """What one row of the figure shows.

    Attributes:
        image: uint8 (height, width, 3), RGB.
        heatmap: float32 (height, width), 0..1 or NaN.
        overlay: uint8 (height, width, 3), RGB.
        caption: Above the image.
        target: Name of the explained class.
        flag: The flag of the heat-map, or `""`.
        name: Below the image, or `""`.
    """

    image: np.ndarray
    heatmap: np.ndarray
    overlay: np.ndarray
    caption: str
    target: str
    flag: str
    name: str


def draw_panel(rows: Sequence[PanelRow], title: str, *, total: int, colour_map: str) -> Any:
    """Draw the rows on one `matplotlib.figure.Figure`.

    Args:
        rows: At least one.
        title: Above all rows.
        total: How many images there are; where that is more than the rows, the figure says so.
        colour_map: A Matplotlib colour map.
    """
    from matplotlib.cm import ScalarMappable

    count = len(rows)
    heights = [row.image.shape[0] / row.image.shape[1] for row in rows]
    column = (TWO_COLUMNS - 16.0) / 3.0
    small = {"fontsize": 7.0, "fontweight": "normal"}
    with drawing_style():
        figure = new_figure(TWO_COLUMNS, sum(heights) * column + 10.0 * count + 9.0)
        figure.suptitle(title, fontsize=9.0)
        axes = figure.subplots(count, 3, squeeze=False, height_ratios=heights)
        shades = find_colour_map(colour_map).with_extremes(bad="0.85")
        for row, cells in zip(rows, axes, strict=True):
            cells[0].imshow(row.image)
            cells[1].imshow(row.heatmap, cmap=shades, vmin=0.0, vmax=1.0)
            cells[2].imshow(row.overlay)
            cells[0].set_title(row.caption, **small)
            cells[1].set_title(f"class explained: {row.target}", **small)
            if row.flag:
                cells[2].set_title(f"flag: {row.flag}", color=BASELINE, fontsize=7.0)
            if row.name:
                cells[0].set_xlabel(_shorten(row.name), color=MUTED, fontsize=6.5, loc="left")
            for axis in cells:
                axis.set_xticks([])
                axis.set_yticks([])
                for spine in axis.spines.values():
                    spine.set_visible(False)
        bar = figure.colorbar(
            ScalarMappable(cmap=shades),
            ax=list(np.ravel(axes)),
            location="right",
            aspect=30,
            fraction=0.03,
            shrink=max(0.4, 1.0 / count),
        )
        bar.set_label("scaled per image")
        bar.set_ticks([0.0, 0.5, 1.0])
        bar.outline.set_visible(False)
        if count < total:
            figure.supxlabel(f"the first {count} of {total} images", color=MUTED, fontsize=7.5)
    return figure


def _shorten(name: str, longest: int = 44) -> str:
    """Keep the end of a long name, by which images of one slide differ."""
    return name if len(name) <= longest else f"…{name[1 - longest :]}"
