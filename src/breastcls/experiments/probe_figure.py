"""The figures of a probe: a forest plot of the scores, and few-shot curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from breastcls.drawing.figures import (
    CLASS_COLOURS,
    LINE_STYLES,
    TWO_COLUMNS,
    drawing_style,
    figure_of,
    legend_below,
    new_axes,
)
from breastcls.drawing.forest_figure import ForestPanel, ForestRow, plot_forest
from breastcls.experiments.probe_scores import BASELINE
from breastcls.metrics.metric_descriptions import metric_title
from breastcls.metrics.number_format import format_estimate


def plot_scores(table: pd.DataFrame, settings: Mapping[str, Any]) -> Figure:
    """Draw the first metric of every row, and its difference from the baseline where there is one."""
    metric = settings["metrics"][0]
    title = metric_title(metric, capital=True)
    percent = f"{100 * settings['bootstrap']['confidence']:g}%"
    panels = [ForestPanel("Encoders and probes", f"{title}, {percent} CI over cases", _rows(table, metric))]
    if "difference" in table:
        changed = table[np.isfinite(table["difference"])]
        name = f"{title} minus that of the baseline, {percent} CI"
        panels.append(ForestPanel("Difference from the baseline", name, _rows(changed, "difference"), line=0.0))
    return plot_forest(panels)


def _rows(table: pd.DataFrame, metric: str) -> list[ForestRow]:
    rows = []
    for (encoder, name), row in zip(table.index, table.to_dict("records"), strict=True):
        score = row[metric], row[f"{metric}_low"], row[f"{metric}_high"]
        rows.append(ForestRow(f"{encoder}, {name}", *score, format_estimate(*score), reference=name == BASELINE))
    return rows


def plot_curves(curves: pd.DataFrame, settings: Mapping[str, Any]) -> Figure:
    """Draw the first metric against the number of training cases per class, with confidence intervals.

    Encoders differ in colour, probes in the style of the line. Points of one number are drawn beside each other.
    """
    metric = settings["metrics"][0]
    frame = curves.reset_index()
    names = frame[["encoder", "probe"]].drop_duplicates().itertuples(index=False)
    encoders, probes = list(frame["encoder"].unique()), list(frame["probe"].unique())
    lines = list(names)
    with drawing_style():
        axes = new_axes(None, width=TWO_COLUMNS, height=95.0)
        for number, (encoder, name) in enumerate(lines):
            mine = frame[(frame["encoder"] == encoder) & (frame["probe"] == name)].sort_values("cases_per_class")
            value = mine[metric].to_numpy(dtype=float)
            ends = np.stack([value - mine[f"{metric}_low"], mine[f"{metric}_high"] - value]).astype(float)
            # On a logarithmic axis a constant factor is a constant distance.
            shift = 1.02 ** (number - (len(lines) - 1) / 2)
            axes.errorbar(
                mine["cases_per_class"].to_numpy(dtype=float) * shift,
                value,
                yerr=np.maximum(ends, 0.0),
                color=CLASS_COLOURS[encoders.index(encoder) % len(CLASS_COLOURS)],
                linestyle=LINE_STYLES[probes.index(name) % len(LINE_STYLES)],
                marker="o",
                markersize=3,
                linewidth=1.2,
                elinewidth=0.8,
                capsize=0,
                label=f"{encoder}, {name}",
            )
        counts = sorted(frame["cases_per_class"].unique())
        axes.set_xscale("log")
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()
        axes.set_xlabel("Training cases per class")
        axes.set_ylabel(metric_title(metric, capital=True))
        legend_below(axes, 2)
        return figure_of(axes)
