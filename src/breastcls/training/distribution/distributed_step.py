"""The TensorFlow part of training on several devices: strategies, communication between workers, one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from breastcls.errors import TrainingError
from breastcls.models.keras_internals import find_seed_generators, flatten_layers, skip_gradient_sum
from breastcls.models.single_output import expand_single_tensor
from breastcls.training.distribution.batch_sharding import BatchShard
from breastcls.training.distribution.replicas import ShardedDropout
from breastcls.training.training_step import as_shares, weight_table

_SUM = tf.distribute.ReduceOp.SUM
_MEAN = tf.distribute.ReduceOp.MEAN
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


def name_of(strategy: Any) -> str | None:
    """Return "mirrored", "multi-worker", or None for one device.

    Raises:
        TrainingError: If it is not a supported strategy.
    """
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return "multi-worker"
    if isinstance(strategy, tf.distribute.MirroredStrategy):
        return "mirrored"
    if isinstance(strategy, tf.distribute.OneDeviceStrategy):
        return None
    raise TrainingError(
        f"strategy is {strategy!r}; expected None, 'mirrored', 'multi-worker', or a MirroredStrategy, "
        "MultiWorkerMirroredStrategy or OneDeviceStrategy of tf.distribute."
    )


@cache
def mirror() -> Any:
    """Return the strategy over all GPUs of this machine.

    There is one for the whole process: the messages of two would have the same numbers and be confused.
    """
    return tf.distribute.MirroredStrategy()


def find_worker_position(strategy: Any) -> tuple[int, int, int]:
    """Return the number of this worker, the number of workers, and the devices of each."""

    @tf.function(jit_compile=False, autograph=False)  # type: ignore[untyped-decorator]
    def ask() -> Any:
        return strategy.run(lambda: tf.identity(tf.distribute.get_replica_context().replica_id_in_sync_group))

    local = strategy.experimental_local_results(ask())
    devices = len(local)
    return int(local[0]) // devices, strategy.num_replicas_in_sync // devices, devices


def is_lost_worker(error: BaseException) -> bool:
    """Return whether an error of TensorFlow means that another worker is lost."""
    aborted = isinstance(error, tf.errors.OpError) and "Collective ops is aborted" in str(error)
    return aborted or isinstance(error, _LOST)


def sum_over_workers(strategy: Any, devices: int) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """Return a function that sums each array over all workers; all workers have to call it.

    Args:
        strategy: The strategy.
        devices: Devices of each worker.
    """

    @tf.function(jit_compile=False, autograph=False)  # type: ignore[untyped-decorator]
    def add_up(values: list[Any]) -> Any:
        def add(values: list[Any]) -> Any:
            context = tf.distribute.get_replica_context()
            # The first device of each worker contributes its value.
            first = context.replica_id_in_sync_group % devices == 0
            return context.all_reduce(_SUM, [tf.where(first, value, tf.zeros_like(value)) for value in values])

        return strategy.run(add, args=(values,))

    def add_arrays(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        summed = add_up([tf.constant(array) for array in arrays])
        return [strategy.experimental_local_results(value)[0].numpy() for value in summed]

    return add_arrays


class DistributedStep:
    """A training step on all devices at once, with the result of one device on the whole batch.

    Each device has an equal part of the batch. Gradients are sums over all images divided by their number, summed over
    the devices before clipping, loss scaling and the optimizer, which therefore work as on one device. Repeated images
    have the weight 0. Statistics of layers, as of batch normalisation, are those of each device's part, averaged.

    Args:
        learner: The compiled model, made in the scope of the strategy.
        strategy: The strategy.
        devices: Devices of each worker.
        loss: The loss, as for one device.
        class_count: Number of classes.
        weights: Class weights by index, or None.
    """

    def __init__(
        self,
        learner: keras.Model,
        strategy: Any,
        devices: int,
        loss: Any,
        class_count: int,
        weights: dict[int, float] | None,
    ) -> None:
        self._learner, self._strategy, self._devices, self._class_count = learner, strategy, devices, class_count
        self._loss = type(loss).from_config({**loss.get_config(), "reduction": "none"})
        table = np.ones(class_count, np.float32) if weights is None else weight_table(weights)
        self._table = tf.constant(table)
        dropouts = [layer for layer in flatten_layers(learner) if isinstance(layer, ShardedDropout)]
        common = {id(layer.seed_generator) for layer in dropouts if layer.rate > 0}
        self._own_generators = [found for found in find_seed_generators(learner) if id(found) not in common]
        self._changed: list[Any] = []
        # It would add the gradients up after clipping them, and a second time.
        skip_gradient_sum(learner.optimizer)
        self._step = tf.function(self._step_on_all_devices, jit_compile=False, reduce_retracing=True, autograph=False)

    def __call__(self, inputs: Any, labels: BatchShard) -> tuple[float, float, int]:
        """Train on one batch; return its loss, its accuracy and its number of images."""
        shares = as_shares(labels.labels, self._class_count)
        counts = tf.cast(tf.range(len(shares)) < labels.own, tf.float32)
        batch = [self._split(part) for part in (tf.convert_to_tensor(inputs), tf.convert_to_tensor(shares), counts)]
        loss, accuracy = self._step(*batch, tf.constant(labels.total, tf.float32))
        return float(loss), float(accuracy), labels.total

    def _split(self, values: Any) -> Any:
        """Split the part of this worker equally over its devices."""
        left = iter(tf.split(values, self._devices, axis=0))
        return self._strategy.experimental_distribute_values_from_function(lambda _: next(left))

    def _step_on_all_devices(self, inputs: Any, shares: Any, counts: Any, total: Any) -> tuple[Any, Any]:
        values, states = self._strategy.run(self._step_on_one_device, args=(inputs, shares, counts, total))
        for variable, state in zip(self._changed, states, strict=True):
            self._strategy.extended.update(variable.value, _assign, args=(state,), group=False)
        first = self._strategy.experimental_local_results(values)[0]
        return first[0], first[1]

    def _step_on_one_device(self, inputs: Any, shares: Any, counts: Any, total: Any) -> tuple[Any, list[Any]]:
        context = tf.distribute.get_replica_context()
        learner = self._learner
        optimizer = learner.optimizer
        weights = tf.linalg.matvec(shares, self._table) * counts
        # Random layers other than dropout draw on each device separately, and must not draw the same numbers on all.
        offset = tf.stack([tf.cast(context.replica_id_in_sync_group, tf.int64) * 7919, 0])
        drawn = {id(found.state): found.state for found in self._own_generators}
        with ExitStack() as stack:
            tape = stack.enter_context(tf.GradientTape())
            mapping = [(state, _shift(state.value, offset)) for state in drawn.values()]
            # Keras looks for regularised weights in this mapping only.
            mapping += [(one, one.value) for one in learner.trainable_variables if one.regularizer is not None]
            # Changes of layer states are collected here, since they differ between devices.
            scope = stack.enter_context(keras.StatelessScope(mapping, collect_losses=True))
            outputs = learner(inputs, training=True)
            loss = tf.reduce_sum(self._loss(shares, outputs, sample_weight=weights)) / total
            # The regularisation loss is the same on every device, and is added once.
            extra = [tf.cast(tf.reduce_sum(term), tf.float32) for term in learner.losses]
            loss += tf.add_n([*extra, tf.constant(0.0)]) / context.num_replicas_in_sync
            scaled = optimizer.scale_loss(loss)
        variables = learner.trainable_variables
        gradients = tape.gradient(scaled, [variable.value for variable in variables])
        trained = [(one, variable) for one, variable in zip(gradients, variables, strict=True) if one is not None]
        right = tf.cast(tf.argmax(expand_single_tensor(outputs), axis=-1) == tf.argmax(shares, axis=-1), tf.float32)
        values = tf.stack([loss, tf.reduce_sum(right * counts) / total])
        *summed, values = context.all_reduce(_SUM, [*(tf.convert_to_tensor(one) for one, _ in trained), values])
        optimizer.apply(summed, [variable for _, variable in trained])

        self._changed, states, kept = [], [], []
        for variable in learner.non_trainable_variables:
            state = scope.get_current_value(variable)
            if state is None:
                continue
            self._changed.append(variable)
            if id(variable) in drawn:
                state = _shift(state, -offset)
            states.append(state)
            if state.dtype.is_floating:
                kept.append(len(states) - 1)
        if kept:
            for number, mean in zip(kept, context.all_reduce(_MEAN, [states[number] for number in kept]), strict=True):
                states[number] = mean
        return values, states


def _shift(state: Any, offset: Any) -> Any:
    # The type of seeds depends on the backend of Keras, and TensorFlow cannot add all types on every device.
    return tf.cast(tf.cast(state, tf.int64) + offset, state.dtype)


def _assign(variable: Any, value: Any) -> None:
    variable.assign(value)
