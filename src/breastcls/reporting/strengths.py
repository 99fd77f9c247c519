"""Scores against the strength of what was done to the images."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.figure import Figure

from breastcls.reporting.figures import BASELINE, MODEL, TWO_COLUMNS, drawing_style, new_figure
from breastcls.reporting.wording import describe_metric

_COLUMNS = 3


def plot_strengths(table: pd.DataFrame, metric: str) -> Figure:
    """Draw one metric against the strength, one panel a perturbation, with the band of its interval.

    Args:
        table: `Robustness.table`.
        metric: One of its metrics.

    Returns:
        The figure; a dashed line marks the score of the images as they are.
    """
    chosen = table[table["metric"] == metric]
    groups = list(chosen.groupby("perturbation", sort=False))
    columns = min(_COLUMNS, len(groups))
    rows = math.ceil(len(groups) / columns)
    words = describe_metric(metric)
    with drawing_style():
        figure = new_figure(TWO_COLUMNS * max(columns, 2) / _COLUMNS, 55.0 * rows)
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes, (name, lines) in zip(panels, groups, strict=False):
            ordered = lines.sort_values("strength")
            axes.grid(axis="y")
            axes.fill_between(
                ordered["strength"], ordered["low"], ordered["high"], color=MODEL, alpha=0.15, linewidth=0
            )
            axes.plot(ordered["strength"], ordered["value"], color=MODEL, marker="o", markersize=3)
            clean = ordered.loc[ordered["strength"] == 0, "value"]
            for value in clean:
                axes.axhline(value, color=BASELINE, linestyle="--", linewidth=0.8)
            axes.set_title(str(name))
            axes.set_xlabel(str(ordered["unit"].iloc[0]).replace(", ", ",\n", 1))
        for axes in panels[len(groups) :]:
            axes.remove()
        for axes in panels[:: columns or 1]:
            axes.set_ylabel(words.short)
        return figure
