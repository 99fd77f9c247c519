"""Callbacks of a training: best weights, early stopping, losses that are not numbers, progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.progress import Progress

from breastcls.errors import TrainingError
from breastcls.images.notebook_display import NotebookDisplay, describe_progress, in_notebook
from breastcls.images.progress_bar import make_progress
from breastcls.text_tables import text_table


class BestWeights:
    """The weights of the best epoch so far, kept in memory and restored at the end of every phase.

    They are restored too where training ends within an epoch, so that a model always has weights that were scored.

    Args:
        monitor: The score by which epochs are compared. A loss is better if it is smaller, any other score if it is
            larger; NaN is worse than any number. None, without a validation set: the last finished epoch is the best.
        patience: Epochs without a better one after which a phase stops; None never stops.
    """

    def __init__(self, monitor: str | None, patience: int | None = None) -> None:
        self.monitor, self.patience = monitor, patience
        self.epoch: int | None = None
        self.scores: dict[str, float] = {}
        self._before: list[np.ndarray] = []
        self._weights: list[np.ndarray] | None = None
        self._since = 0

    def start_phase(self, model: keras.Model) -> None:
        """Start counting patience anew; the model has the best weights so far."""
        self._since = 0
        self._weights = None
        self._before = copy_weights(model)

    def see(self, learner: keras.Model, epoch: int, scores: dict[str, float]) -> bool:
        """Compare the scores of an epoch with the best; return True if training should stop.

        Raises:
            TrainingError: If the monitored score is not measured.
        """
        if self.monitor is not None and self.monitor not in scores:
            raise TrainingError(f"monitor={self.monitor!r} is not measured. Measured: {', '.join(scores)}.")
        if self.monitor is None or self.epoch is None or self._rank(scores) > self._rank(self.scores):
            # Copied first: Ctrl-C during the copy leaves the best weights of before.
            weights = copy_weights(learner)
            self._weights, self._before = weights, []
            self.epoch, self.scores, self._since = epoch, dict(scores), 0
            return False
        self._since += 1
        return self.patience is not None and self._since >= self.patience

    def restore(self, model: keras.Model, learner: keras.Model) -> None:
        """Restore the best weights of this phase; if it has none, those it began with."""
        if self._weights is not None:
            learner.set_weights(self._weights)
        elif self._before:
            model.set_weights(self._before)

    def __str__(self) -> str:
        if self.epoch is None:
            return "its initial weights, since no epoch was finished"
        return f"the weights of epoch {self.epoch}, the {'last finished' if self.monitor is None else 'best so far'}"

    def state(self) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Return the state for a checkpoint: JSON values, and the best weights of this phase if it has any."""
        meta = {"epoch": self.epoch, "scores": self.scores, "since": self._since, "here": self._weights is not None}
        return meta, self._weights or []

    def load(self, meta: Mapping[str, Any], weights: list[np.ndarray]) -> None:
        """Restore what `state` returned, within the same phase."""
        self.epoch, self.scores, self._since = meta["epoch"], dict(meta["scores"]), meta["since"]
        self._weights = weights if meta["here"] else None

    def _rank(self, scores: dict[str, float]) -> tuple[float, float]:
        assert self.monitor is not None
        value, loss = scores[self.monitor], scores.get("val_loss", 0.0)
        rank = -value if "loss" in self.monitor else value
        # Few validation cases give few distinct scores; of equal ones the one with the smaller loss is better.
        return -math.inf if math.isnan(rank) else rank, -math.inf if math.isnan(loss) else -loss


def copy_weights(model: keras.Model) -> list[np.ndarray]:
    """Return copies of all weights of a model."""
    return [np.array(weight) for weight in model.get_weights()]


class ScoreEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Scores the validation set after each epoch, records the scores, keeps the best weights, and stops early.

    Args:
        score: Returns the validation scores, or None without a validation set.
        best: The best weights so far.
        rows: List to which one dictionary per epoch is added.
        phase: Name of the phase.
    """

    def __init__(
        self,
        score: Callable[[], dict[str, float]] | None,
        best: BestWeights,
        rows: list[dict[str, Any]],
        phase: str,
    ) -> None:
        super().__init__()
        self._score, self._best, self._rows, self._phase = score, best, rows, phase
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the timer."""
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Score, record, keep the best weights, stop."""
        logs = {} if logs is None else logs
        if self._score is not None:
            logs.update(self._score())
        scores = {name: float(value) for name, value in logs.items()}
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        seconds = time.perf_counter() - self._began
        if self._best.see(self.model, epoch + 1, scores):
            self.model.stop_training = True
        self._rows.append(
            {"epoch": epoch + 1, "phase": self._phase, **scores, "learning_rate": rate, "seconds": seconds}
        )


class StopAtNonFiniteLoss(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends training with an error at the first step whose loss is not a finite number.

    Args:
        phase: Name of the phase, for the message.
        best: The weights that the model is restored to.
    """

    def __init__(self, phase: str, best: BestWeights) -> None:
        super().__init__()
        self._phase, self._best, self._epoch = phase, best, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Store the number of the epoch."""
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the loss.

        Raises:
            TrainingError: If it is NaN or infinite.
        """
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            raise TrainingError(
                f"The loss became {loss} in epoch {self._epoch}, step {batch + 1} (phase {self._phase!r}). The model "
                f"has {self._best} again. Lower the learning rate (now {rate:g}), or look for images or weights that "
                "are not finite."
            )


class ProgressBar(keras.callbacks.Callback):  # type: ignore[misc]
    """Shows a bar with the remaining time on a terminal, one line per epoch elsewhere, in a notebook within one output.

    Args:
        phase: Name of the phase.
        first: Finished epochs before it.
        last: Finished epochs after it.
        steps: Steps per epoch.
    """

    def __init__(self, phase: str, first: int, last: int, steps: int) -> None:
        super().__init__()
        self._phase, self._first, self._last, self._steps = phase, first, last, steps
        self._console = Console(stderr=True)
        self._notebook = NotebookDisplay() if in_notebook() else None
        self._rows: list[list[str]] = []
        self._done, self._began = 0, time.monotonic()
        self._bar: Progress | None = None
        self._task: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Show the bar, if standard error is a terminal."""
        if not self._console.is_terminal:
            return
        self._bar = make_progress(self._console)
        self._task = self._bar.add_task(self._phase, total=(self._last - self._first) * self._steps)
        self._bar.start()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Advance the bar."""
        self._done += 1
        if self._bar is not None:
            self._bar.advance(self._task)
        elif self._notebook is not None and self._notebook.due():
            total = (self._last - self._first) * self._steps
            bar = describe_progress(self._phase, self._done, total, self._began)
            self._show_table([bar])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Print the scores of the epoch."""
        scores = {name: f"{float(value):.3f}" for name, value in (logs or {}).items()}
        place = f"epoch {epoch + 1}/{self._last} {self._phase}"
        if self._notebook is None:
            shown = "  ".join(f"{name} {value}" for name, value in scores.items())
            self._console.print(f"{place}  {shown}", highlight=False, soft_wrap=True)
        else:
            self._rows += [] if self._rows else [["", *scores]]
            self._rows.append([place, *scores.values()])
            self._show_table()

    def close(self) -> None:
        """Remove the bar, also after an error."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        if self._rows:
            self._show_table()

    def _show_table(self, below: Sequence[str] = ()) -> None:
        """Show the scores of the epochs as one table of the notebook, which replaces the one before."""
        assert self._notebook is not None
        head, *lines = text_table(self._rows).split("\n") if self._rows else [""]
        self._notebook.show([*lines, *below], head=[head] if self._rows else [], force=True)
