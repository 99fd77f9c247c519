"""The workers that train one model together: who this one is, and what they agree on."""

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
class Team:
    """The workers of a training, most often one.

    Args:
        strategy: The `tf.distribute` strategy, or None.
        index: Which worker this is, counted from 0.
        size: How many there are.
        devices: Devices of each.
    """

    strategy: Any = None
    index: int = 0
    size: int = 1
    devices: int = 1

    @classmethod
    def of(cls, strategy: Any) -> Team:
        """Return the team of a strategy."""
        if strategy is None:
            return cls()
        from breastcls.training.distribution.distributed_step import find_place

        return cls(strategy, *find_place(strategy))

    @property
    def chief(self) -> bool:
        """Whether this worker is the one that writes files and judges."""
        return self.index == 0

    def gather(self, values: Sequence[float]) -> npt.NDArray[np.float64]:
        """Return what every worker says, shape (workers, values); all have to call this, each with as many."""
        own = np.zeros((self.size, len(values)))
        own[self.index] = values
        return own if self.size == 1 else self._exchange([own])[0]

    def wait(self) -> None:
        """Wait until all workers are here."""
        self.gather([0.0])

    def from_chief(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the chief's values in the place of one's own, which rounding may have made others."""
        return dict(zip(values, map(float, self.gather(list(values.values()))[0]), strict=True))

    def arrays_from_chief(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the chief's arrays; all have to call this with as many of the same shapes."""
        if self.size == 1:
            return list(arrays)
        return self._exchange([array if self.chief else np.zeros_like(array) for array in arrays])

    def check_same(self, what: str, values: Any) -> None:
        """See that all workers have the same.

        Args:
            what: What is compared, for the message.
            values: Anything whose `repr` says what it is.

        Raises:
            TrainingError: If they differ.
        """
        digest = int.from_bytes(hashlib.sha256(repr(values).encode()).digest()[:6], "big")
        found = self.gather([digest])[:, 0]
        if other := [number for number in range(self.size) if found[number] != found[0]]:
            raise TrainingError(
                f"The workers do not agree on {what}: worker(s) {other} differ from worker 0. Run the same script on "
                "the same data everywhere, with run_dir in a folder that all machines share and precision= by name."
            )

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Within the block the chief goes first, the others after it; an error of one is an error of all.

        Raises:
            TrainingError: If it failed on another worker.
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
            # A chief that failed is waited for by nobody any more.
            seen = self.gather([failed]) if not (self.chief and failed) else np.zeros((1, 1))
        self._raise_if_failed(seen)

    def _raise_if_failed(self, seen: npt.NDArray[np.float64]) -> None:
        if failed := np.flatnonzero(seen[:, 0]).tolist():
            raise TrainingError(f"Worker(s) {failed} could not begin; what they printed says why.")

    def _exchange(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        with self.or_lost():
            return self._add_up(arrays)

    @cached_property
    def _add_up(self) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
        from breastcls.training.distribution.distributed_step import adder

        return adder(self.strategy, self.devices)

    @contextmanager
    def or_lost(self) -> Iterator[None]:
        """Within the block the loss of another worker is told in plain words.

        Raises:
            TrainingError: If another worker is gone.
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
            # Before it come the lines of code that were waiting.
            said = said[max(said.find("Collective ops is aborted"), 0) :]
            raise TrainingError(
                f"Another worker is gone, so worker {self.index} of {self.size} cannot go on. What that one printed "
                "says why. Start the script again on all machines; with run_dir and resume=True it goes on from the "
                f"last checkpoint. TensorFlow said: {' '.join(said.split())[:300]}"
            ) from error
