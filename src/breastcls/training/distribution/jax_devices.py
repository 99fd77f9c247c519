"""Training on several devices with JAX, by `keras.distribution`."""

from __future__ import annotations

from typing import Any

import keras

from breastcls.errors import TrainingError
from breastcls.training.distribution.model_copies import copy_model
from breastcls.training.training_step import KerasStep


class BatchParallel(keras.distribution.DataParallel):  # type: ignore[misc]  # Keras ships no types
    """Every device has all weights and an equal part of each batch.

    A batch whose size is not divisible by the number of devices is computed whole on each of them.
    """

    def get_data_layout(self, data_shape: Any) -> Any:
        """Return the layout of a batch of a shape."""
        if data_shape[0] % self.device_mesh.devices.size == 0:
            return super().get_data_layout(data_shape)
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)


def find_devices(strategy: Any) -> BatchParallel:
    """Return the distribution over the devices of a strategy.

    Args:
        strategy: "mirrored" for all devices, or a `keras.distribution.DataParallel`.

    Raises:
        TrainingError: If it is anything else, or there are several processes.
    """
    import jax

    if jax.process_count() > 1:
        raise TrainingError(
            f"There are {jax.process_count()} processes of JAX. On several machines fit trains with TensorFlow only: "
            "start Python with KERAS_BACKEND=tensorflow, and see breastcls.training.join_workers."
        )
    if strategy == "mirrored":
        return BatchParallel(devices=keras.distribution.list_devices())
    if isinstance(strategy, keras.distribution.DataParallel):
        return BatchParallel(device_mesh=strategy.device_mesh)
    raise TrainingError(
        f"strategy is {strategy!r}; with JAX expected None, 'mirrored', or a keras.distribution.DataParallel. Several "
        "machines need KERAS_BACKEND=tensorflow."
    )


def copy_to_devices(strategy: BatchParallel, model: keras.Model) -> keras.Model:
    """Return a copy of a model with its weights on all devices; the model itself is not changed.

    Raises:
        TrainingError: If Keras cannot copy the model.
    """
    return copy_model(model, strategy.scope(), lambda layer: type(layer).from_config(layer.get_config()))


class BatchParallelStep:
    """The training step of Keras on all devices at once: losses and statistics are those of the whole batch.

    Args:
        step: The step of the compiled model, made in the scope of the strategy.
        strategy: The strategy.
    """

    def __init__(self, step: KerasStep, strategy: BatchParallel) -> None:
        self._step, self._strategy = step, strategy

    def __call__(self, inputs: Any, labels: Any) -> tuple[float, float, int]:
        """Train on one batch; return its loss, its accuracy and its number of images."""
        # Keras makes its metrics at the first step.
        with self._strategy.scope():
            return self._step(inputs, labels)
