"""Image, heat-map and overlay side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from breastcls.errors import ExplanationError

if TYPE_CHECKING:
    from breastcls.explanation.explanation import Explanation


def plot_explanation(explanation: Explanation, *, limit: int, alpha: float, colour_map: str) -> Any:
    """Draw at most `limit` images as rows of three pictures, on one `matplotlib.figure.Figure`."""
    from matplotlib.cm import ScalarMappable

    from breastcls.drawing.figures import BASELINE, MUTED, TWO_COLUMNS, drawing_style, new_figure
    from breastcls.explanation.methods.method_registry import METHODS
    from breastcls.explanation.overlay import find_colour_map

    if limit < 1:
        raise ExplanationError(f"limit is {limit}; expected 1 or more.")
    count = min(limit, len(explanation))
    heights = [float(height) / float(width) for height, width in explanation.sizes[:count]]
    column = (TWO_COLUMNS - 16.0) / 3.0
    small = {"fontsize": 7.0, "fontweight": "normal"}
    with drawing_style():
        figure = new_figure(TWO_COLUMNS, sum(heights) * column + 10.0 * count + 9.0)
        explainer = METHODS[explanation.method]
        figure.suptitle(f"{explainer.title}: {explainer.shows}", fontsize=9.0)
        axes = figure.subplots(count, 3, squeeze=False, height_ratios=heights)
        shades = find_colour_map(colour_map).with_extremes(bad="0.85")
        for number in range(count):
            row = axes[number]
            row[0].imshow(explanation.image(number))
            row[1].imshow(explanation.heatmap(number), cmap=shades, vmin=0.0, vmax=1.0)
            row[2].imshow(explanation.overlay(number, alpha=alpha, colour_map=colour_map))
            row[0].set_title(explanation.caption(number), **small)
            row[1].set_title(f"class explained: {explanation.classes[int(explanation.targets[number])]}", **small)
            if explanation.flags[number]:
                row[2].set_title(f"flag: {explanation.flags[number]}", color=BASELINE, fontsize=7.0)
            if explanation.paths is not None:
                name = _shorten(Path(explanation.paths[number]).stem)
                row[0].set_xlabel(name, color=MUTED, fontsize=6.5, loc="left")
            for axis in row:
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
        bar.set_label("scaled for each image")
        bar.set_ticks([0.0, 0.5, 1.0])
        bar.outline.set_visible(False)
        if count < len(explanation):
            figure.supxlabel(f"the first {count} of {len(explanation)} images", color=MUTED, fontsize=7.5)
    return figure


def _shorten(name: str, longest: int = 44) -> str:
    """Keep the end of a long name, which tells images of one slide apart."""
    return name if len(name) <= longest else f"…{name[1 - longest :]}"
