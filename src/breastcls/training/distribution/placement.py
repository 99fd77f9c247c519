"""On which devices a model learns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import keras

from breastcls.errors import TrainingError
from breastcls.images.epoch_order import BatchPart
from breastcls.training.batch_sources import Source
from breastcls.training.distribution.batch_sharding import DealtSource
from breastcls.training.distribution.worker_group import Team
from breastcls.training.distribution.workers import joined_workers
from breastcls.training.training_step import KerasStep, Step

_NAMES = ("mirrored", "multi-worker")


@dataclass(frozen=True)
class Place:
    """Where a model learns, and who judges it.

    Args:
        model: The model that learns: the caller's own, or with a strategy a copy of it on every device.
        original: With a strategy, the caller's own.
        team: The workers.
    """

    model: keras.Model
    original: keras.Model | None = None
    team: Team = field(default_factory=Team)

    @property
    def judge(self) -> keras.Model:
        """The caller's own model, which lives on one device: it scores, and computes features."""
        return self.model if self.original is None else self.original

    @property
    def strategy(self) -> Any:
        """The `tf.distribute` strategy, or None for one device."""
        return self.team.strategy

    @property
    def part(self) -> BatchPart:
        """The part of each batch that this worker has."""
        return BatchPart(self.team.index, self.team.size, self.team.devices)

    def scope(self) -> AbstractContextManager[Any]:
        """Within the block what is made, is made for all devices."""
        return nullcontext() if self.strategy is None else self.strategy.scope()

    def deal(self, source: Source, images: int, batch_size: int, *, whole: bool = True) -> Source:
        """Return the batches of a source as the steps here take them.

        Args:
            source: The source.
            images: Images an epoch.
            batch_size: Images a batch, over all workers.
            whole: Whether the source gives whole batches, and not this worker's part already.
        """
        if self.strategy is None:
            return source
        return DealtSource(source, self.part, images, batch_size, whole=whole)

    def step(self, learner: keras.Model, loss: Any, class_count: int, weights: dict[int, float] | None) -> Step:
        """Return what teaches a compiled model one batch."""
        if self.strategy is None:
            return KerasStep(learner, class_count, weights)
        from breastcls.training.distribution.distributed_step import DistributedStep

        return DistributedStep(learner, self.strategy, self.team.devices, loss, class_count, weights)

    def judged(self, score: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Return what the judge scores with the weights as they are now: what the chief measured, for all workers."""
        self.tell_judge()
        return self.team.from_chief(score())

    def tell_judge(self) -> None:
        """Give the judge the weights of the model."""
        if self.original is not None:
            self.judge.set_weights(self.model.get_weights())

    def take_from_judge(self) -> None:
        """Give the model the weights of the judge, on all workers those of the chief."""
        if self.original is not None:
            self.model.set_weights(self.team.arrays_from_chief(self.judge.get_weights()))


class SameDecision(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """After each epoch: all workers stop if one of them wants to.

    Args:
        team: The workers.
    """

    def __init__(self, team: Team) -> None:
        super().__init__()
        self._team = team

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Ask all."""
        self.model.stop_training = bool(self._team.gather([float(self.model.stop_training)]).any())


def strategy_name(strategy: Any) -> str | None:
    """Return how a strategy is written into the record: "mirrored", "multi-worker", or None for one device.

    Raises:
        TrainingError: If it is none that can be trained with.
    """
    if strategy is None:
        return None
    if isinstance(strategy, str):
        if strategy not in _NAMES:
            raise TrainingError(
                f"strategy is {strategy!r}; expected None, 'mirrored', 'multi-worker' or a tf.distribute strategy."
            )
        return strategy
    from breastcls.training.distribution.distributed_step import name_of

    return name_of(strategy)


def find_team(strategy: Any) -> Team:
    """Return the workers of a strategy, given by name or as it is.

    Raises:
        TrainingError: If it is none that can be trained with, or the workers did not join.
    """
    name = strategy_name(strategy)
    if name == "multi-worker" and isinstance(strategy, str):
        strategy = joined_workers()
        if strategy is None:
            raise TrainingError(
                "strategy='multi-worker' needs the machines to be joined before anything else: call "
                "breastcls.join_workers() first in the script, before a model is built."
            )
    elif name == "mirrored" and isinstance(strategy, str):
        from breastcls.training.distribution.distributed_step import mirror

        strategy = mirror()
    return Team.of(strategy)


@contextmanager
def placed(model: keras.Model, team: Team) -> Iterator[Place]:
    """Within the block a model is where it learns; after it, also after an error, it has learnt.

    Args:
        model: The model.
        team: The workers, from `find_team`.

    Raises:
        TrainingError: If the model cannot be copied to several devices, or another worker is gone.
    """
    if team.strategy is None:
        yield Place(model)
        return
    from breastcls.training.distribution.replicas import copy_into, copy_state

    with team.or_lost():
        place = Place(copy_into(team.strategy, model), model, team)
        # Each worker may have built it with random weights of its own.
        place.take_from_judge()
        try:
            yield place
        finally:
            copy_state(place.model, model)
