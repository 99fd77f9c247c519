"""The loop over epochs and steps. Unlike that of Keras it can begin at any step of any epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import keras

from breastcls.training.batch_sources import BatchSource
from breastcls.training.training_step import EpochMeans, Step


@dataclass
class Position:
    """How far training has come.

    Args:
        epoch: Number of finished epochs, over all phases.
        step: Number of finished steps of the current epoch.
        means: Loss and accuracy over those steps.
    """

    epoch: int = 0
    step: int = 0
    means: EpochMeans = field(default_factory=EpochMeans)


def run_epochs(
    model: keras.Model,
    step: Step,
    source: BatchSource,
    position: Position,
    end: int,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    checkpoint: Callable[[], None] | None = None,
    checkpoint_steps: int | None = None,
) -> None:
    """Train from a position until the epoch `end`, or until a callback sets `model.stop_training`.

    Args:
        model: The compiled model that is trained, and the model of the callbacks.
        step: Trains it on one batch.
        source: The batches of each epoch.
        position: Where to begin; it is updated.
        end: Number of finished epochs at the end.
        callbacks: Keras callbacks, called as by `fit` of Keras.
        checkpoint: Called at the end of each epoch, after the callbacks.
        checkpoint_steps: Call it also after so many steps within an epoch.
    """
    handlers = keras.callbacks.CallbackList(
        list(callbacks), model=model, epochs=end, steps=source.steps, verbose=0, add_history=False
    )
    model.stop_training = False
    handlers.on_train_begin()
    while position.epoch < end and not model.stop_training:
        handlers.on_epoch_begin(position.epoch)
        for inputs, labels in source.batches(position.epoch, position.step):
            number = position.step
            handlers.on_train_batch_begin(number)
            loss, accuracy, images = step(inputs, labels)
            position.means.add(loss, accuracy, images)
            position.step += 1
            handlers.on_train_batch_end(number, {"loss": loss, "accuracy": accuracy})
            if model.stop_training:
                break
            within = position.step < source.steps
            if checkpoint is not None and checkpoint_steps and within and position.step % checkpoint_steps == 0:
                checkpoint()
        logs = position.means.logs()
        number = position.epoch
        position.epoch, position.step, position.means = number + 1, 0, EpochMeans()
        handlers.on_epoch_end(number, logs)
        if checkpoint is not None:
            checkpoint()
    handlers.on_train_end()
