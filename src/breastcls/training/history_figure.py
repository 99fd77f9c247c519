"""The training history as a figure."""

from __future__ import annotations

import math
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from breastcls.drawing.figures import BASELINE, MODEL, MUTED, TWO_COLUMNS, drawing_style, new_figure
from breastcls.errors import TrainingError
from breastcls.metrics.metric_descriptions import describe_metric

_NOT_METRICS = {"epoch", "phase", "seconds", "time", "learning_rate"}


def plot_history(history: pd.DataFrame) -> Figure:
    """Draw every metric of the training history against the epoch, of training and validation together.

    Args:
        history: One row per epoch, with any metrics as columns; `val_<name>` is drawn beside `<name>`.
            The columns `epoch` and `phase` are used if present; `learning_rate` and times are not drawn.

    Returns:
        A figure of one panel per metric, with lines between the phases and their names.

    Raises:
        TrainingError: If the table is empty or has no metric.

    Example:
        >>> import pandas as pd
        >>> history = pd.DataFrame({"epoch": [1, 2], "loss": [0.7, 0.5], "val_loss": [0.8, 0.7]})
        >>> len(plot_history(history).axes)
        1
    """
    # A metric of the validation set alone has its panel too.
    metrics = list(
        dict.fromkeys(
            str(name).removeprefix("val_")
            for name in history.columns
            if name not in _NOT_METRICS and pd.api.types.is_numeric_dtype(history[name])
        )
    )
    if history.empty or not metrics:
        raise TrainingError(
            f"The history has {len(history)} rows and the columns {list(map(str, history.columns))}; "
            "expected at least one epoch and one metric, such as 'loss'."
        )
    epochs = history["epoch"].tolist() if "epoch" in history else list(range(1, len(history) + 1))
    # Where each phase counts its epochs from 1, the axis would run backwards.
    if any(later <= earlier for earlier, later in pairwise(epochs)):
        epochs = list(range(1, len(history) + 1))
    columns = min(len(metrics), 2)
    rows = math.ceil(len(metrics) / columns)
    with drawing_style():
        figure = new_figure(TWO_COLUMNS if columns == 2 else TWO_COLUMNS / 2, 62.0 * rows)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, metric in zip(panels, metrics, strict=False):
            _draw_metric(axes, history, epochs, metric)
        for axes in panels[len(metrics) :]:
            axes.remove()
        panels[0].legend()
    return figure


def _draw_metric(axes: Axes, history: pd.DataFrame, epochs: list[float], metric: str) -> None:
    axes.grid(axis="y")
    # One epoch is a point: a line alone would show nothing.
    marker = "o" if len(epochs) < 15 else None
    for column, name, colour, style in (
        (metric, "training", MODEL, "-"),
        (f"val_{metric}", "validation", BASELINE, "--"),
    ):
        if column in history:
            axes.plot(epochs, history[column], color=colour, linestyle=style, marker=marker, markersize=3, label=name)
    axes.set_title(describe_metric(metric).name)
    axes.set_xlabel("Epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if "phase" not in history:
        return
    phases = history["phase"].astype(str).tolist()
    axes.margins(y=0.14)  # room for the names of the phases above the curves
    starts = [place for place, phase in enumerate(phases) if place == 0 or phase != phases[place - 1]]
    for place in starts if len(starts) > 1 else []:
        if place:
            axes.axvline((epochs[place - 1] + epochs[place]) / 2, color=MUTED, linewidth=0.6, linestyle=":")
        axes.annotate(
            phases[place],
            (epochs[place], 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -2),
            textcoords="offset points",
            va="top",
            fontsize=7,
            color=MUTED,
        )
