"""A figure of a whole mount: tissue, true labels, probabilities and heat-maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from breastcls.drawing.figures import INK, MUTED, TWO_COLUMNS, drawing_style, new_figure
from breastcls.explanation.colour_maps import find_colour_map
from breastcls.explanation.explanation_panel import hide_frame

_EMPTY = "0.96"


def draw_mount(
    title: str,
    pictures: Sequence[tuple[str, np.ndarray]],
    size: tuple[int, int],
    micrometres_per_pixel: float | None,
) -> Any:
    """Draw pictures of one slide on one `matplotlib.figure.Figure`.

    Args:
        title: Above all pictures.
        pictures: The title and the pixels of each: uint8 RGB, or float32 0..1 with NaN where there is nothing.
        size: (height, width) of the slide in pixels.
        micrometres_per_pixel: The physical size, for a scale bar; None for none.
    """
    from matplotlib.cm import ScalarMappable

    columns = min(2, len(pictures))
    rows = -(-len(pictures) // columns)
    height, width = size
    column = (TWO_COLUMNS - 20.0) / columns
    with drawing_style():
        figure = new_figure(TWO_COLUMNS, rows * (column * height / width + 8.0) + 12.0)
        figure.suptitle(title, fontsize=8.0)
        axes = figure.subplots(rows, columns, squeeze=False)
        shades = find_colour_map("viridis").with_extremes(bad=_EMPTY)
        for axis in np.ravel(axes)[len(pictures) :]:
            axis.set_visible(False)
        for (name, picture), axis in zip(pictures, np.ravel(axes), strict=False):
            extent = (0, width, height, 0)
            if picture.ndim == 3:
                axis.imshow(picture, extent=extent)
            else:
                axis.imshow(picture, cmap=shades, vmin=0.0, vmax=1.0, extent=extent, interpolation="nearest")
            axis.set_title(name, fontsize=7.5, fontweight="normal")
            hide_frame(axis)
        if micrometres_per_pixel is not None:
            _add_scale_bar(np.ravel(axes)[0], size, micrometres_per_pixel)
        if any(picture.ndim == 2 for _, picture in pictures):
            bar = figure.colorbar(
                ScalarMappable(cmap=shades), ax=list(np.ravel(axes)), location="right", aspect=30, fraction=0.03
            )
            bar.set_label("label, probability, evidence; grey: no value", fontsize=7.0, color=MUTED)
            bar.set_ticks([0.0, 0.5, 1.0])
            bar.outline.set_visible(False)
    return figure


def _add_scale_bar(axis: Any, size: tuple[int, int], micrometres_per_pixel: float) -> None:
    """Draw a bar of a round length in the lower left corner of a picture."""
    height, width = size
    most = 0.3 * width * micrometres_per_pixel
    power = 10.0 ** math.floor(math.log10(most))
    length = max((digit * power for digit in (1, 2, 5) if digit * power <= most), default=power)
    text = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"
    left, bottom = 0.02 * width, height - 0.03 * max(size)
    right = left + length / micrometres_per_pixel
    axis.autoscale(False)
    axis.plot([left, right], [bottom, bottom], color=INK, linewidth=2.0, solid_capstyle="butt")
    background = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.0}
    axis.text(left, bottom - 0.02 * max(size), text, fontsize=7.0, va="bottom", bbox=background)
