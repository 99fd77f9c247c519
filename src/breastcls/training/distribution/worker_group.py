"""The workers that train one model together, and the values they exchange."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import TrainingError


@dataclass(frozen=True)
class WorkerGroup:
    """The workers of a training; one without a strategy for several machines.

    Args:
        strategy: The `tf.distribute` strategy, or None.
        index: Number of this worker, counted from 0.
        size: Number of workers.
        devices: Devices of each worker.
    """

    strategy: Any = None
    index: int = 0
    size: int = 1
    devices: int = 1

    @classmethod
    def of(cls, strategy: Any) -> WorkerGroup:
        """Return the workers of a strategy."""
        if strategy is None:
            return cls()
        from breastcls.training.distribution.distributed_step import find_worker_position

        return cls(strategy, *find_worker_position(strategy))

    @property
    def chief(self) -> bool:
        """Whether this worker writes the files and measures the scores."""
        return self.index == 0

    def gather(self, values: Sequence[float]) -> npt.NDArray[np.float64]:
        """Return the values of every worker, shape (workers, values); all have to call this with the same number."""
        own = np.zeros((self.size, len(values)))
        own[self.index] = values
        return own if self.size == 1 else self._exchange([own])[0]

    def wait(self) -> None:
        """Wait until all workers have called this."""
        self.gather([0.0])

    def from_chief(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the values of the chief; those of other workers may differ by rounding."""
        return dict(zip(values, map(float, self.gather(list(values.values()))[0]), strict=True))

    def arrays_from_chief(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the arrays of the chief; all have to call this with arrays of the same shapes."""
        if self.size == 1:
            return list(arrays)
        return self._exchange([array if self.chief else np.zeros_like(array) for array in arrays])

    def check_same(self, what: str, values: Any) -> None:
        """Check that a value is the same on all workers.

        Args:
            what: Name of the value, for the message.
            values: Anything whose `repr` identifies it.

        Raises:
            TrainingError: If they differ.
        """
        digest = int.from_bytes(hashlib.sha256(repr(values).encode()).digest()[:6], "big")
        found = self.gather([digest])[:, 0]
        if other := [number for number in range(self.size) if found[number] != found[0]]:
            raise TrainingError(
                f"The workers differ in {what}: worker(s) {other} differ from worker 0. Run the same script on "
                "the same data everywhere, with run_dir in a folder that all machines share and the precision of "
                "Devices by name."
            )

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The block runs on the chief first, then on the others; an error on one worker is an error on all.

        Raises:
            TrainingError: If the block failed on another worker.
        """
        if self.size == 1:
            yield
            return
        if not self.chief:
            self._raise_if_failed(self.gather([0.0]))
        failed = 1.0
        try:
            yield
            failed = 0.0
        finally:
            if self.chief:
                self.gather([failed])
            # No worker waits for a chief that failed.
            seen = self.gather([failed]) if not (self.chief and failed) else np.zeros((1, 1))
        self._raise_if_failed(seen)

    def _raise_if_failed(self, seen: npt.NDArray[np.float64]) -> None:
        if failed := np.flatnonzero(seen[:, 0]).tolist():
            raise TrainingError(f"Worker(s) {failed} could not begin; see what they printed.")

    def _exchange(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        with self.report_lost_workers():
            return self._add_up(arrays)

    @cached_property
    def _add_up(self) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
        from breastcls.training.distribution.distributed_step import sum_over_workers

        return sum_over_workers(self.strategy, self.devices)

    @contextmanager
    def report_lost_workers(self) -> Iterator[None]:
        """Within the block an error by the loss of another worker becomes a TrainingError.

        Raises:
            TrainingError: If another worker is lost.
        """
        if self.size == 1:
            yield
            return
        from breastcls.training.distribution.distributed_step import is_lost_worker

        try:
            yield
        except Exception as error:
            if not is_lost_worker(error):
                raise
            said = str(error)
            # The lines of code that were waiting come before it.
            said = said[max(said.find("Collective ops is aborted"), 0) :]
            raise TrainingError(
                f"Another worker is lost, so worker {self.index} of {self.size} cannot continue. See what that one "
                "printed. Start the script again on all machines; with run_dir and resume=True the run is resumed from "
                f"the last checkpoint. The error of TensorFlow: {' '.join(said.split())[:300]}"
            ) from error
