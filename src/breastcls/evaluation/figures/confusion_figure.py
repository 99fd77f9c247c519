"""The confusion matrix as a figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from breastcls.drawing.figures import INK, MODEL, drawing_style, figure_of, new_axes
from breastcls.metrics.division import divide

_TITLES = {
    None: "Confusion matrix",
    "true": "Confusion matrix, by true class",
    "pred": "Confusion matrix, by predicted class",
    "all": "Confusion matrix, fractions",
}


def plot_confusion(confusion: pd.DataFrame, *, normalize: str | None = None, axes: Axes | None = None) -> Figure:
    """Draw the confusion matrix: counts, and below each its share of the true class; or fractions.

    Args:
        confusion: One row per true class, one column per predicted class: counts, or fractions.
        normalize: None for counts; "true", "pred" or "all" for fractions of that.
        axes: Where to draw; a new square figure of 85 mm if None.

    Returns:
        The figure; the shade of a cell is its share of the row, or the fraction that it states.
    """
    counts = confusion.to_numpy(np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = divide(counts, totals, 0.0) if normalize is None else counts
    names = [str(name) for name in confusion.columns]
    many = len(names) > 4
    with drawing_style():
        axes = new_axes(axes)
        shades = LinearSegmentedColormap.from_list("share", ["#ffffff", MODEL])
        axes.imshow(shares, cmap=shades, vmin=0, vmax=1)
        for row, column in np.ndindex(*counts.shape):
            share = f"\n{100 * shares[row, column]:.0f}%" if totals[row, 0] else "\n–"
            text = f"{counts[row, column]:,.0f}{'' if many else share}"
            axes.text(
                column,
                row,
                text if normalize is None else f"{counts[row, column]:.2f}",
                ha="center",
                va="center",
                fontsize=7 if many else 9,
                # White and dark text have the same contrast with the cell near this share.
                color="white" if shares[row, column] > 0.7 else INK,
            )
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        # Long class names side by side would overlap.
        if sum(map(len, names)) > 36:
            axes.tick_params(axis="x", rotation=45)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set(xlabel="Predicted class", ylabel="True class", title=_TITLES[normalize])
        return figure_of(axes)
