"""The devices that a model is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import keras

from breastcls.errors import TrainingError
from breastcls.images.epoch_order import BatchPart
from breastcls.training.batch_sources import BatchSource
from breastcls.training.distribution.batch_sharding import ShardedBatches
from breastcls.training.distribution.model_copies import copy_state
from breastcls.training.distribution.worker_group import WorkerGroup
from breastcls.training.distribution.workers import joined_workers
from breastcls.training.training_step import KerasStep, Step

_NAMES = ("mirrored", "multi-worker")


@dataclass(frozen=True)
class Place:
    """The devices that a model is trained on, and the copy of it that is scored.

    Args:
        model: The model that is trained: the caller's own, or with a strategy a copy of it on every device.
        original: With a strategy, the caller's own model.
        workers: The workers.
    """

    model: keras.Model
    original: keras.Model | None = None
    workers: WorkerGroup = field(default_factory=WorkerGroup)

    @property
    def scorer(self) -> keras.Model:
        """The caller's own model on one device, which computes validation scores and features."""
        return self.model if self.original is None else self.original

    @property
    def strategy(self) -> Any:
        """The strategy of TensorFlow or JAX, or None for one device."""
        return self.workers.strategy

    @property
    def part(self) -> BatchPart:
        """The part of each batch that this worker has."""
        return BatchPart(self.workers.index, self.workers.size, self.workers.devices)

    def scope(self) -> AbstractContextManager[Any]:
        """Variables that are created within the block are created on all devices."""
        return nullcontext() if self.strategy is None else self.strategy.scope()

    def shard(self, source: BatchSource, images: int, batch_size: int, *, whole: bool = True) -> BatchSource:
        """Return the batches of a source in the form that the training steps need.

        Args:
            source: The source.
            images: Images per epoch.
            batch_size: Images per batch, over all workers.
            whole: Whether the source yields whole batches, and not this worker's part already.
        """
        if self.strategy is None or _is_of_keras(self.strategy):
            return source
        return ShardedBatches(source, self.part, images, batch_size, whole=whole)

    def step(self, learner: keras.Model, loss: Any, class_count: int, weights: dict[int, float] | None) -> Step:
        """Return the training step of a compiled model."""
        if self.strategy is None:
            return KerasStep(learner, class_count, weights)
        if _is_of_keras(self.strategy):
            from breastcls.training.distribution.jax_devices import BatchParallelStep

            return BatchParallelStep(KerasStep(learner, class_count, weights), self.strategy)
        from breastcls.training.distribution.distributed_step import DistributedStep

        return DistributedStep(learner, self.strategy, self.workers.devices, loss, class_count, weights)

    def score_on_chief(self, score: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Return the scores with the present weights; on all workers those measured by the chief."""
        self.update_scorer()
        return self.workers.from_chief(score())

    def update_scorer(self) -> None:
        """Copy the weights of the model to the scorer."""
        if self.original is not None:
            self.scorer.set_weights(self.model.get_weights())

    def update_model(self) -> None:
        """Copy the weights of the scorer to the model, on all workers those of the chief."""
        if self.original is not None:
            self.model.set_weights(self.workers.arrays_from_chief(self.scorer.get_weights()))


class SameDecision(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Stops all workers after an epoch if one of them has to stop.

    Args:
        workers: The workers.
    """

    def __init__(self, workers: WorkerGroup) -> None:
        super().__init__()
        self._workers = workers

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Gather `stop_training` of all workers."""
        self.model.stop_training = bool(self._workers.gather([float(self.model.stop_training)]).any())


def strategy_name(strategy: Any) -> str | None:
    """Return the name of a strategy in the record: "mirrored", "multi-worker", or None for one device.

    Raises:
        TrainingError: If it is not supported.
    """
    if strategy is None:
        return None
    backend = keras.backend.backend()
    if backend == "torch":
        raise TrainingError(
            f"strategy is {strategy!r}, but with PyTorch fit trains on one device. Leave it out, or start Python with "
            "KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax."
        )
    if isinstance(strategy, str):
        if strategy not in _NAMES:
            raise TrainingError(
                f"strategy is {strategy!r}; expected None, 'mirrored', 'multi-worker' or a tf.distribute strategy."
            )
        if strategy == "multi-worker" and backend != "tensorflow":
            raise TrainingError(
                f"strategy is 'multi-worker', which trains with TensorFlow; the backend of Keras is {backend}. Start "
                "Python with KERAS_BACKEND=tensorflow."
            )
        return strategy
    if backend == "jax":
        from breastcls.training.distribution.jax_devices import find_devices

        find_devices(strategy)
        return "mirrored"
    from breastcls.training.distribution.distributed_step import name_of

    return name_of(strategy)


def find_workers(strategy: Any) -> WorkerGroup:
    """Return the workers of a strategy, given by name or as an object.

    Raises:
        TrainingError: If it is not supported, or the workers did not join.
    """
    name = strategy_name(strategy)
    if name is not None and keras.backend.backend() == "jax":
        from breastcls.training.distribution.jax_devices import find_devices

        found = find_devices(strategy)
        return WorkerGroup(found, devices=int(found.device_mesh.devices.size))
    if name == "multi-worker" and isinstance(strategy, str):
        strategy = joined_workers()
        if strategy is None:
            raise TrainingError(
                "devices='multi-worker' needs the machines to be joined before anything else: call "
                "breastcls.training.join_workers() first in the script, before a model is built."
            )
    elif name == "mirrored" and isinstance(strategy, str):
        from breastcls.training.distribution.distributed_step import mirror

        strategy = mirror()
    return WorkerGroup.of(strategy)


def _is_of_keras(strategy: Any) -> bool:
    """Return whether a strategy is of `keras.distribution`, which shards whole batches by itself."""
    return isinstance(strategy, keras.distribution.DataParallel)


def _copier(strategy: Any) -> Callable[[Any, keras.Model], keras.Model]:
    """Return what copies a model to the devices of a strategy."""
    if _is_of_keras(strategy):
        from breastcls.training.distribution.jax_devices import copy_to_devices

        return copy_to_devices
    from breastcls.training.distribution.replicas import copy_into

    return copy_into


@contextmanager
def placed(model: keras.Model, workers: WorkerGroup) -> Iterator[Place]:
    """Within the block a model is copied to its devices; after it, also after an error, it has the trained weights.

    Args:
        model: The model.
        workers: The workers, from `find_workers`.

    Raises:
        TrainingError: If the model cannot be copied to several devices, or another worker is lost.
    """
    if workers.strategy is None:
        yield Place(model)
        return
    copy_into = _copier(workers.strategy)
    with workers.report_lost_workers():
        place = Place(copy_into(workers.strategy, model), model, workers)
        # Each worker may have built it with different random weights.
        place.update_model()
        try:
            yield place
        finally:
            copy_state(place.model, model)
