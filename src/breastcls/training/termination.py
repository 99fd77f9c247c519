"""SIGTERM during training, as cluster schedulers send it: a checkpoint is written, and the process ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

import keras
from typing_extensions import override

EXIT_STATUS = 128 + 15
"""The exit status of a process that SIGTERM ended."""


class Termination:
    """Handles SIGTERM within a `with` block, in the main thread, unless the caller handles the signal.

    Outside of the training steps the signal interrupts at once, as Ctrl-C does. Within them it is noted, and
    `CheckpointOnTermination` interrupts after the present step.

    Attributes:
        received: Whether the signal has come.
        deferred: Whether it is noted only.
    """

    def __init__(self) -> None:
        self.received = False
        self.deferred = False
        self._previous: Any = None

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._previous = signal.signal(signal.SIGTERM, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGTERM, self._previous)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        if not self.deferred:
            raise KeyboardInterrupt


class CheckpointOnTermination(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes a checkpoint after the step in which SIGTERM came, and interrupts the training.

    Args:
        termination: Whether the signal has come.
        write: Writes the checkpoint; None where another worker does.
        last_step: Whether the step that has just ended is the last of its epoch; the epoch then ends first.
    """

    def __init__(
        self, termination: Termination, write: Callable[[], None] | None, last_step: Callable[[], bool]
    ) -> None:
        super().__init__()
        self.termination = termination
        self.write = write
        self.last_step = last_step

    @override
    def on_train_begin(self, logs: Any = None) -> None:
        self.termination.deferred = True

    @override
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # The epoch before has ended with a checkpoint.
        if self.termination.received:
            self._interrupt()

    @override
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.termination.received and not self.last_step():
            if self.write is not None:
                self.write()
            self._interrupt()

    @override
    def on_train_end(self, logs: Any = None) -> None:
        self.termination.deferred = False
        if self.termination.received:
            self._interrupt()

    def _interrupt(self) -> None:
        self.termination.deferred = False
        raise KeyboardInterrupt
