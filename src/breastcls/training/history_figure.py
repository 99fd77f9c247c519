"""The training history as a figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from breastcls.drawing.figures import BASELINE, MODEL, MUTED, TWO_COLUMNS, drawing_style, new_figure
from breastcls.errors import TrainingError
from breastcls.text_tables import format_count
from breastcls.training.single_epoch_panels import draw_penalties, draw_values, metric_title

_NOT_METRICS = {"epoch", "phase", "seconds", "time", "learning_rate"}


def plot_history(history: pd.DataFrame, exact_head: Mapping[str, Any] | None = None) -> Figure:
    """Draw every metric of the training history against the epoch, of training and validation together.

    A single epoch has no curve: its values are written as a table.

    Args:
        history: One row per epoch, with any metrics as columns; `val_<name>` is drawn beside `<name>`.
            The columns `epoch` and `phase` are used if present; `learning_rate` and times are not drawn.
        exact_head: How the penalty of an exactly fitted head was chosen, from `run.config["exact_head"]`; the
            cross-validated log loss of each penalty has a panel of its own.

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
            f"The history has {format_count(len(history), 'row')} and the columns {list(map(str, history.columns))}; "
            "expected at least one epoch and one metric, such as 'loss'."
        )
    panels: list[Callable[[Axes], None]] = []
    if exact_head is not None and exact_head["scores"]:
        panels.append(partial(draw_penalties, exact_head=exact_head))
    if len(history) == 1:
        panels.append(partial(draw_values, row=history.iloc[0], metrics=metrics, exact_head=exact_head))
    else:
        panels += [partial(_draw_metric, history=history, metric=metric) for metric in metrics]
    columns = min(len(panels), 2)
    rows = math.ceil(len(panels) / columns)
    with drawing_style():
        figure = new_figure(TWO_COLUMNS if columns == 2 else TWO_COLUMNS / 2, 62.0 * rows)
        places = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, draw in zip(places, panels, strict=False):
            draw(axes)
        for axes in places[len(panels) :]:
            axes.remove()
    return figure


def _draw_metric(axes: Axes, history: pd.DataFrame, metric: str) -> None:
    epochs = _number_epochs(history)
    axes.grid(axis="y")
    # Few epochs are points that are joined by lines.
    marker = "o" if len(epochs) < 15 else None
    for column, name, colour, style in (
        (metric, "training", MODEL, "-"),
        (f"val_{metric}", "validation", BASELINE, "--"),
    ):
        if column in history:
            axes.plot(epochs, history[column], color=colour, linestyle=style, marker=marker, markersize=3, label=name)
    axes.set_title(metric_title(metric))
    axes.set_xlabel("Epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
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


def _number_epochs(history: pd.DataFrame) -> list[float]:
    epochs: list[float] = history["epoch"].tolist() if "epoch" in history else list(range(1, len(history) + 1))
    # Where each phase counts its epochs from 1, the axis would run backwards.
    if any(later <= earlier for earlier, later in pairwise(epochs)):
        return list(range(1, len(history) + 1))
    return epochs
