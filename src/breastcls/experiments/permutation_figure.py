"""The null distribution of a permutation test as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from breastcls.drawing.figures import (
    BASELINE,
    INK,
    LINE,
    MODEL,
    MUTED,
    drawing_style,
    figure_of,
    legend_below,
    new_axes,
)


def plot_null(null: Sequence[float], row: Mapping[str, float], label: str, axes: Axes | None = None) -> Figure:
    """Draw a histogram of the scores with permuted labels, their mean and 95% range, and the observed score.

    Args:
        null: The scores with permuted labels.
        row: `observed`, `null_mean`, `null_low`, `null_high` and `p`.
        label: Label of the axis of scores.
        axes: Axes to draw into; None for a new figure.
    """
    with drawing_style():
        axes = new_axes(axes, width=85.0, height=70.0)
        values = np.array([value for value in null if np.isfinite(value)])
        axes.hist(values, bins="auto", color=LINE, edgecolor=MUTED, linewidth=0.5, label="permuted labels")
        axes.axvspan(row["null_low"], row["null_high"], color=BASELINE, alpha=0.12, linewidth=0, label="95% of them")
        axes.axvline(row["null_mean"], color=INK, linestyle="--", linewidth=1.0, label=f"mean {row['null_mean']:.3f}")
        axes.axvline(row["observed"], color=MODEL, linewidth=2.0, label=f"true labels {row['observed']:.3f}")
        axes.set_xlabel(label)
        axes.set_ylabel("Permutations")
        axes.set_title(f"p = {row['p']:.2g}, {len(values)} permutations")
        legend_below(axes, 2)
        return figure_of(axes)
