"""The short training history in a model card: the training curves in bounded size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from breastcls.errors import ModelError

MOST_EPOCHS = 200
"""A longer history is thinned to so many epochs; the best epoch and the first epoch of each phase are kept."""


def shorten_history(
    history: pd.DataFrame,
    *,
    monitor: str | None,
    best_epoch: int | None,
    date: str,
    exact_head: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the training history for the model card, as JSON values; see `ModelCard.training_history`.

    Args:
        history: One row per epoch with the columns `epoch`, `phase`, `loss` and the validation scores.
        monitor: The validation score that selected the best epoch; None without a validation set.
        best_epoch: The selected epoch; None without a validation set.
        date: Date of the end of the training, in ISO 8601.
        exact_head: How the penalty of an exactly fitted head was chosen; None without one.

    Example:
        >>> table = pd.DataFrame({"epoch": [1, 2], "phase": ["head", "fine-tune"], "loss": [0.7, 0.5]})
        >>> short = shorten_history(table, monitor=None, best_epoch=None, date="2026-11-28")
        >>> short["metrics"], short["phases"]
        ({'loss': [0.7, 0.5]}, [{'name': 'head', 'first_epoch': 1}, {'name': 'fine-tune', 'first_epoch': 2}])
    """
    epochs = history["epoch"].to_numpy(dtype=np.int64)
    phases = history["phase"].astype(str).tolist()
    starts = [row for row in range(len(phases)) if row == 0 or phases[row] != phases[row - 1]]
    needed = {*starts, *np.flatnonzero(epochs == best_epoch).tolist()}
    evenly = np.linspace(0, len(epochs) - 1, min(len(epochs), max(2, MOST_EPOCHS - len(needed))))
    rows = sorted({*evenly.round().astype(int).tolist(), *needed})
    names = [name for name in dict.fromkeys(("loss", "val_loss", monitor)) if name in history.columns]
    return {
        "date": date,
        "epochs": epochs[rows].tolist(),
        "metrics": {name: [_short_number(value) for value in history[name].to_numpy()[rows]] for name in names},
        "phases": [{"name": phases[row], "first_epoch": int(epochs[row])} for row in starts],
        "monitor": monitor,
        "best_epoch": best_epoch,
        "exact_head": None if exact_head is None else dict(exact_head),
    }


def history_table(values: Mapping[str, Any]) -> pd.DataFrame:
    """Return the history of a model card as a table with the columns `epoch`, `phase` and one per metric.

    Args:
        values: The field `training_history` of a card.
    """
    epochs = values["epochs"]
    names = [[phase["name"] for phase in values["phases"] if phase["first_epoch"] <= epoch][-1] for epoch in epochs]
    metrics = {name: np.asarray(column, np.float64) for name, column in values["metrics"].items()}
    return pd.DataFrame({"epoch": epochs, "phase": names, **metrics})


def check_history(values: Mapping[str, Any]) -> None:
    """Check the field `training_history` of a model card.

    Raises:
        ModelError: If it is not what `shorten_history` returned.
    """
    epochs, metrics, phases = (values.get(name) for name in ("epochs", "metrics", "phases"))
    complete = (
        isinstance(epochs, Sequence)
        and all(isinstance(epoch, int) for epoch in epochs)
        and isinstance(metrics, Mapping)
        and all(isinstance(column, Sequence) and len(column) == len(epochs) for column in metrics.values())
        and isinstance(phases, Sequence)
        and all(isinstance(phase, Mapping) and isinstance(phase.get("first_epoch"), int) for phase in phases)
        and all("name" in phase for phase in phases)
    )
    if not complete or (epochs and not (phases and phases[0]["first_epoch"] <= epochs[0])):
        raise ModelError(
            f"training_history of a model card has the fields {sorted(values)}; expected the record that fit writes: "
            "'epochs', under 'metrics' one list of the same length for each metric, and under 'phases' the name and "
            "the first epoch of each phase. Pass None for a model without a history."
        )


def _short_number(value: float) -> float | None:
    """Return a number with six significant digits; None, as in JSON, if it is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
