"""A picture of a case: its images in the order of their attention."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from breastcls.drawing.figures import INK, MUTED, TWO_COLUMNS, drawing_style, new_figure
from breastcls.images.decode import read_image
from breastcls.images.resize import resize_image

_COLUMNS = 4
_SIDE = 112
_COLOURS = "viridis"
_TINT = 0.35


def draw_case(rows: pd.DataFrame, title: str, count: int) -> Figure:
    """Draw the images of a case, the largest weight first, each framed and tinted by its weight.

    Args:
        rows: The columns `path`, `weight` and `relative_weight`, one row per image of the case.
        title: Heading of the figure.
        count: Most images that are drawn.

    Raises:
        ImageError: If an image cannot be read.
    """
    order = rows.sort_values("weight", ascending=False, kind="stable")
    shown = order.iloc[:count]
    # Read before anything is drawn, so that a missing file leaves no figure behind.
    images = [np.asarray(resize_image(read_image(path), (_SIDE, _SIDE))) for path in shown["path"]]
    colours = mpl.colormaps[_COLOURS]
    largest = float(order["weight"].max())
    lines = -(-len(shown) // _COLUMNS)
    with drawing_style():
        figure = new_figure(TWO_COLUMNS, 14.0 + lines * 27.0)
        grid = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
        for axes in grid:
            axes.set_axis_off()
        for axes, image, row in zip(grid, images, shown.to_dict("records"), strict=False):
            colour = np.array(colours(row["weight"] / largest)[:3])
            tinted = image / 255 * (1 - _TINT) + colour * _TINT
            axes.imshow(np.concatenate([image / 255, tinted], axis=1))
            axes.add_patch(
                mpl.patches.Rectangle((-1, -1), 2 * _SIDE + 1, _SIDE + 1, fill=False, edgecolor=colour, linewidth=2.5)
            )
            axes.set_title(
                f"{row['weight']:.3f}, {row['relative_weight']:.1f} times the mean", fontsize=6, color=INK, pad=3
            )
        left = len(order) - len(shown)
        more = f"; {left} further images have smaller weights" if left else ""
        figure.suptitle(f"{title}; {len(order)} images{more}", fontsize=8)
        figure.text(
            0.5, 0.005, "Weight of each image in the prediction of its case, beside the image tinted by it",
            ha="center", fontsize=6, color=MUTED,
        )  # fmt: skip
        return figure
