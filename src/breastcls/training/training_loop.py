"""The loop over epochs and steps. It can begin at any step of any epoch, which that of Keras cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import keras

from breastcls.training.batch_sources import Source
from breastcls.training.training_step import EpochMeans, Step


@dataclass
class Position:
    """Where training stands.

    Args:
        epoch: Epochs done, over all phases.
        step: Steps done of the epoch after them.
        means: What those steps gave.
    """

    epoch: int = 0
    step: int = 0
    means: EpochMeans = field(default_factory=EpochMeans)


def run_epochs(
    model: keras.Model,
    step: Step,
    source: Source,
    position: Position,
    end: int,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    checkpoint: Callable[[], None] | None = None,
    checkpoint_steps: int | None = None,
) -> None:
    """Train from a position on until the epoch `end`, or until a callback sets `model.stop_training`.

    Args:
        model: The compiled model that learns; callbacks see this one.
        step: Teaches it one batch.
        source: Gives the batches of an epoch.
        position: Where to begin; it is moved along.
        end: Number of epochs done when it is over.
        callbacks: Keras callbacks, called as `fit` of Keras does.
        checkpoint: Called at the end of each epoch, after the callbacks.
        checkpoint_steps: Call it also after so many steps within an epoch.
    """
    watchers = keras.callbacks.CallbackList(
        list(callbacks), model=model, epochs=end, steps=source.steps, verbose=0, add_history=False
    )
    model.stop_training = False
    watchers.on_train_begin()
    while position.epoch < end and not model.stop_training:
        watchers.on_epoch_begin(position.epoch)
        for inputs, labels in source.batches(position.epoch, position.step):
            number = position.step
            watchers.on_train_batch_begin(number)
            loss, accuracy, images = step(inputs, labels)
            position.means.add(loss, accuracy, images)
            position.step += 1
            watchers.on_train_batch_end(number, {"loss": loss, "accuracy": accuracy})
            if model.stop_training:
                break
            within = position.step < source.steps
            if checkpoint is not None and checkpoint_steps and within and position.step % checkpoint_steps == 0:
                checkpoint()
        logs = position.means.logs()
        number = position.epoch
        position.epoch, position.step, position.means = number + 1, 0, EpochMeans()
        watchers.on_epoch_end(number, logs)
        if checkpoint is not None:
            checkpoint()
    watchers.on_train_end()
