"""A figure with image, heat-map and overlay side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from breastcls.drawing.figures import BASELINE, MUTED, TWO_COLUMNS, drawing_style, new_figure, relative_height
from breastcls.explanation.colour_maps import find_colour_map

SMALL = {"fontsize": 7.0, "fontweight": "normal"}
# The width of a character of a column's title, of a caption and of a note, in millimetres.
_CHARACTER, _OF_CAPTION, _OF_NOTE = 2.0, 1.6, 1.4
# Narrower columns would show neither tissue nor the text below it.
_LEAST_COLUMN = 32.0
_LINE = 3.0
SCALE = "evidence, scaled per image;\nopacity by positive share"


@dataclass(frozen=True, eq=False)
class PanelRow:
    """What one row of the figure shows.

    Attributes:
        image: uint8 (height, width, 3), RGB.
        heatmap: float32 (height, width), 0..1 or NaN.
        overlay: uint8 (height, width, 3), RGB.
        opacity: Factor of the opacity of the heat-map, 0..1.
        glass: bool (height, width), where nothing is drawn.
        caption: Above the image.
        target: Name of the explained class.
        evidence: The positive share and the share on glass, as text.
        flag: The flag of the heat-map, or `""`.
        name: Below the image, or `""`.
    """

    image: np.ndarray
    heatmap: np.ndarray
    overlay: np.ndarray
    opacity: float
    glass: np.ndarray
    caption: str
    target: str
    evidence: str
    flag: str
    name: str


def draw_panel(rows: Sequence[PanelRow], title: str, *, total: int, colour_map: str) -> Any:
    """Draw the rows on one `matplotlib.figure.Figure`.

    Args:
        rows: At least one.
        title: Above all rows.
        total: How many images there are; where that is more than the rows, the figure states it.
        colour_map: A perceptually uniform Matplotlib colour map.
    """
    count = len(rows)
    heights = [relative_height(row.image) for row in rows]
    column = (TWO_COLUMNS - 16.0) / 3.0
    captions = [
        [_wrap(text, column / _OF_CAPTION) for text in (row.caption, f"class explained: {row.target}")] for row in rows
    ]
    further = sum(max(text.count("\n") for text in of_row) for of_row in captions)
    with drawing_style():
        figure = new_figure(TWO_COLUMNS, sum(heights) * column + 13.0 * count + 9.0 + _LINE * further)
        figure.suptitle(title, fontsize=9.0)
        axes = figure.subplots(count, 3, squeeze=False, height_ratios=heights)
        for row, (caption, target), cells in zip(rows, captions, axes, strict=True):
            cells[0].imshow(row.image)
            draw_heatmap(cells[1], row.heatmap, row.glass, row.opacity, colour_map)
            cells[2].imshow(row.overlay)
            cells[0].set_title(caption, **SMALL)
            cells[1].set_title(target, **SMALL)
            cells[1].set_xlabel(row.evidence, color=MUTED, fontsize=6.5, loc="left")
            if row.flag:
                cells[2].set_title(f"flag: {row.flag}", color=BASELINE, fontsize=7.0)
            if row.name:
                cells[0].set_xlabel(shorten(row.name), color=MUTED, fontsize=6.5, loc="left")
            for axis in cells:
                hide_frame(axis)
        add_colour_bar(figure, np.ravel(axes), colour_map, count)
        if count < total:
            figure.supxlabel(f"the first {count} of {total} images", color=MUTED, fontsize=7.5)
    return figure


def draw_heatmap(axis: Any, heatmap: np.ndarray, glass: np.ndarray, opacity: float, colour_map: str) -> None:
    """Draw a heat-map over white, with the opacity that it has over the image; glass stays white."""
    axis.set_facecolor("white")
    shades = find_colour_map(colour_map).with_extremes(bad="0.85")
    weight = np.where(glass, 0.0, np.where(np.isfinite(heatmap), opacity, 1.0))
    axis.imshow(heatmap, cmap=shades, vmin=0.0, vmax=1.0, alpha=weight)


def add_colour_bar(figure: Any, axes: Any, colour_map: str, rows: int) -> None:
    """Add the colour bar that all heat-maps of a figure share."""
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(
        ScalarMappable(cmap=find_colour_map(colour_map)),
        ax=list(axes),
        location="right",
        aspect=30,
        fraction=0.03,
        shrink=max(0.4, 1.0 / rows),
    )
    bar.set_label(SCALE)
    bar.set_ticks([0.0, 0.5, 1.0])
    bar.outline.set_visible(False)


def hide_frame(axis: Any) -> None:
    """Remove ticks and lines around a picture."""
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)


def shorten(name: str, longest: int = 44) -> str:
    """Return the end of a long name, by which images of one slide differ."""
    return name if len(name) <= longest else f"…{name[1 - longest :]}"


@dataclass(frozen=True, eq=False)
class GridRow:
    """One image with several overlays.

    Attributes:
        image: uint8 (height, width, 3), RGB.
        caption: Above the image.
        name: Below the image.
        overlays: One per column, uint8 (height, width, 3), RGB.
        notes: Below each overlay: the prediction and the evidence.
    """

    image: np.ndarray
    caption: str
    name: str
    overlays: Sequence[np.ndarray]
    notes: Sequence[str]


def draw_grid(rows: Sequence[GridRow], titles: Sequence[str], *, total: int, colour_map: str) -> Any:
    """Draw images with one overlay per title on one `matplotlib.figure.Figure`; see `plot_explanations`."""
    count, columns = len(rows), len(titles) + 1
    heights = [relative_height(row.image) for row in rows]
    width = max((TWO_COLUMNS - 14.0) / columns, _LEAST_COLUMN)
    # Longer texts would overlap those of the next column.
    wrapped = [_wrap(title, width / _CHARACTER) for title in titles]
    notes = [[_wrap(note, width / _OF_NOTE) for note in row.notes] for row in rows]
    lines = max(title.count("\n") for title in wrapped)
    further = sum(max(0, max(note.count("\n") for note in of_row) - 2) for of_row in notes)
    with drawing_style():
        height = sum(heights) * width + 18.0 * count + 9.0 + 3.5 * lines + _LINE * further
        figure = new_figure(columns * width + 14.0, height)
        axes = figure.subplots(count, columns, squeeze=False, height_ratios=heights)
        for place, (row, cells) in enumerate(zip(rows, axes, strict=True)):
            cells[0].imshow(row.image)
            cells[0].set_title(_wrap(row.caption, width / _OF_CAPTION), **SMALL)
            name = shorten(row.name, int(width / _OF_NOTE))
            cells[0].set_xlabel(name, color=MUTED, fontsize=6.0, loc="left")
            for title, overlay, note, cell in zip(wrapped, row.overlays, notes[place], cells[1:], strict=True):
                cell.imshow(overlay)
                cell.set_xlabel(note, color=MUTED, fontsize=6.0, loc="left")
                if place == 0:
                    cell.set_title(title, fontsize=8.0)
            for axis in cells:
                hide_frame(axis)
        add_colour_bar(figure, np.ravel(axes), colour_map, count)
        if count < total:
            figure.supxlabel(f"the first {count} of {total} images", color=MUTED, fontsize=7.5)
    return figure


def _wrap(text: str, characters: float) -> str:
    return "\n".join(textwrap.fill(line, max(8, int(characters))) for line in text.splitlines())
