"""What looks on while a model trains: best weights, early stopping, losses that are not numbers, progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from breastcls.errors import TrainingError


class BestWeights:
    """The weights of the best epoch so far, kept in memory and put back at the end of every phase.

    Args:
        monitor: The figure to go by. A name with "loss" in it is better small, any other large.
        patience: Epochs without a better one after which a phase stops; None never stops.
    """

    def __init__(self, monitor: str, patience: int | None) -> None:
        self.monitor, self.patience = monitor, patience
        self.epoch: int | None = None
        self.scores: dict[str, float] = {}
        self._weights: list[np.ndarray] | None = None
        self._since = 0

    def start_phase(self) -> None:
        """Begin to count patience anew."""
        self._since = 0

    def see(self, model: keras.Model, epoch: int, scores: dict[str, float]) -> bool:
        """Look at one epoch's scores; True if training should stop.

        Raises:
            TrainingError: If the monitored figure is not among the scores.
        """
        if self.monitor not in scores:
            raise TrainingError(f"monitor={self.monitor!r} is not measured. Measured: {', '.join(scores)}.")
        if self._weights is None or self._rank(scores) > self._rank(self.scores):
            self.epoch, self.scores, self._since = epoch, dict(scores), 0
            self._weights = [weight.copy() for weight in model.get_weights()]
            return False
        self._since += 1
        return self.patience is not None and self._since >= self.patience

    def restore(self, model: keras.Model) -> None:
        """Put the best weights back, if any epoch was seen."""
        if self._weights is not None:
            model.set_weights(self._weights)

    def _rank(self, scores: dict[str, float]) -> tuple[float, float]:
        value = scores[self.monitor]
        value = -math.inf if math.isnan(value) else value
        # Few validation cases give few distinct scores; among equals the smaller loss decides.
        return (-value if "loss" in self.monitor else value), -scores.get("val_loss", 0.0)


class EpochEnd(keras.callbacks.Callback):  # type: ignore[misc]
    """After each epoch: score the validation set, note everything, keep the best, stop in time.

    Args:
        model: The whole model; what Keras trains may be its head alone, which shares its weights.
        score: Gives the validation scores, or None without a validation set.
        best: Keeper of the best weights, or None without a validation set.
        rows: Where one dictionary an epoch is added.
        phase: Name of the phase.
    """

    def __init__(
        self,
        model: keras.Model,
        score: Callable[[], dict[str, float]] | None,
        best: BestWeights | None,
        rows: list[dict[str, Any]],
        phase: str,
    ) -> None:
        super().__init__()
        self._whole, self._score, self._best, self._rows, self._phase = model, score, best, rows, phase
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Score, note, keep, stop."""
        logs = {} if logs is None else logs
        if self._score is not None:
            logs.update(self._score())
        scores = {name: float(value) for name, value in logs.items()}
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        seconds = time.perf_counter() - self._began
        self._rows.append(
            {"epoch": epoch + 1, "phase": self._phase, **scores, "learning_rate": rate, "seconds": seconds}
        )
        if self._best is not None and self._best.see(self._whole, epoch + 1, scores):
            self.model.stop_training = True


class StopAtBadLoss(keras.callbacks.Callback):  # type: ignore[misc]
    """End training with an error at the first step whose loss is not a finite number.

    Args:
        phase: Name of the phase, for the message.
        learning_rate: Its rate, for the message.
    """

    def __init__(self, phase: str, learning_rate: float) -> None:
        super().__init__()
        self._phase, self._rate, self._epoch = phase, learning_rate, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remember which epoch it is."""
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the loss.

        Raises:
            TrainingError: If it is NaN or infinite.
        """
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss became {loss} in epoch {self._epoch}, step {batch + 1} (phase {self._phase!r}). The model "
                f"has its best weights so far again. Lower learning_rate (now {self._rate:g}), or look for images or "
                "weights that are not finite."
            )


class ProgressBar(keras.callbacks.Callback):  # type: ignore[misc]
    """A bar with time left on a terminal, one line an epoch elsewhere.

    Args:
        phase: Name of the phase.
        first: Epochs done before it.
        last: Epochs done after it.
        steps: Steps an epoch.
    """

    def __init__(self, phase: str, first: int, last: int, steps: int) -> None:
        super().__init__()
        self._phase, self._first, self._last, self._steps = phase, first, last, steps
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Show the bar, if there is a terminal to show it on."""
        if not self._console.is_terminal:
            return
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task(self._phase, total=(self._last - self._first) * self._steps)
        self._bar.start()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Advance the bar."""
        if self._bar is not None:
            self._bar.advance(self._task)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Print what the epoch gave."""
        shown = "  ".join(f"{name} {float(value):.3f}" for name, value in (logs or {}).items())
        self._console.print(f"epoch {epoch + 1}/{self._last} {self._phase}  {shown}", highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Take the bar away, also after an error."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
