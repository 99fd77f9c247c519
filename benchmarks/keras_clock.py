"""What `model.fit` spends between epochs, so that it can be distinguished from training."""

from __future__ import annotations

import time
from typing import Any

import keras


class EpochClock(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes when each epoch of `model.fit` began its first step, and when it had done its last.

    Between the last step of one epoch and the first of the next, or the return of `fit`, TensorFlow gives up the
    iterator of the epoch, and version 2.21 then waits for the thread that tunes the pipeline. That thread sleeps 10 ms,
    20 ms, 40 ms and so on, and is not woken: steps that took 5.3 s are over after 10.2 s. An epoch is lengthened by up
    to its own length, at most by a minute. Whoever trains this way waits for it; a comparison of training alone must
    not count it, so the benchmarks give both.
    """

    def __init__(self) -> None:
        super().__init__()
        self._first: list[float] = []
        self._last: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Note the first step of an epoch."""
        if batch == 0:
            self._first.append(time.perf_counter())
            self._last.append(0.0)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Note the end of a step."""
        self._last[-1] = time.perf_counter()

    def steps(self) -> list[float]:
        """Return for each epoch the seconds of its steps."""
        return [last - first for first, last in zip(self._first, self._last, strict=True)]

    def waits(self, returned: float) -> list[float]:
        """Return for each epoch the seconds from its last step to the next epoch, or to the return of `fit`."""
        return [after - last for last, after in zip(self._last, [*self._first[1:], returned], strict=True)]
