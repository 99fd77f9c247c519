"""Which callbacks of Keras work in the training loop of breastcls, found before training starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from breastcls.errors import TrainingError
from breastcls.training.fit_options import EpochSchedule, KerasSchedule, Rate
from breastcls.training.fit_settings import FitSettings
from breastcls.training.input_modes import can_use_features
from breastcls.training.phases import Phase
from breastcls.training.validation import SCORES

_SCORES = ("loss", "accuracy", *SCORES)
_OBSERVERS = (
    keras.callbacks.CSVLogger,
    keras.callbacks.History,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.ProgbarLogger,
    keras.callbacks.RemoteMonitor,
    keras.callbacks.TensorBoard,
)
# Keras has OrbaxCheckpoint from 3.14 on.
_RESUMING = (
    keras.callbacks.BackupAndRestore,
    getattr(keras.callbacks, "OrbaxCheckpoint", keras.callbacks.BackupAndRestore),
)
_MONITORS = (keras.callbacks.EarlyStopping, keras.callbacks.ModelCheckpoint, keras.callbacks.ReduceLROnPlateau)


def check_callbacks(callbacks: Any, phases: Sequence[Phase], settings: FitSettings, *, validated: bool = True) -> None:
    """Refuse callbacks that would fail in the middle of a training, or have no effect.

    Args:
        callbacks: What was passed to `fit`.
        phases: The phases of the training.
        settings: Its settings.
        validated: Whether there is a validation set.

    Raises:
        TrainingError: If one cannot work; the message names an alternative.
    """
    if not isinstance(callbacks, list | tuple):
        raise TrainingError(f"callbacks must be a list of Keras callbacks; found {callbacks!r}.")
    for one in callbacks:
        if not isinstance(one, keras.callbacks.Callback):
            raise TrainingError(f"callbacks holds {one!r}; expected objects of keras.callbacks.Callback.")
        _check_kind(one)
        _check_rate(one, phases)
        if isinstance(one, keras.callbacks.ModelCheckpoint) and any(
            phase.solver == "optimizer" and can_use_features(phase, settings) for phase in phases
        ):
            raise TrainingError(
                "ModelCheckpoint would save the head alone while it is trained on features. Pass run_dir=, which keeps "
                "checkpoints and the best model, or frozen_head=FrozenHead(feature_versions=None) with augmentation, "
                "which trains on images."
            )
        _check_monitor(one, validated=validated)


def name_callbacks(callbacks: Sequence[keras.callbacks.Callback]) -> list[str]:
    """Return the types of those callbacks that may change the weights; Keras' own that only observe do not.

    Example:
        >>> name_callbacks([keras.callbacks.TerminateOnNaN(), keras.callbacks.CSVLogger("log.csv")])
        ['TerminateOnNaN']
    """
    return [type(one).__qualname__ for one in callbacks if type(one) not in _OBSERVERS]


def _check_kind(one: Any) -> None:
    name = type(one).__name__
    if isinstance(one, keras.callbacks.CallbackList):
        raise TrainingError("callbacks holds a CallbackList; pass the callbacks themselves.")
    if isinstance(one, _RESUMING):
        raise TrainingError(
            f"{name} saves and restores one phase in the loop of Keras. Pass run_dir=, and resume=True "
            "after an interruption."
        )
    if isinstance(one, keras.callbacks.SwapEMAWeights):
        raise TrainingError(
            f"{name} swaps weights around Keras' own evaluation, which fit does not use. Give the optimizer "
            "use_ema=True with ema_overwrite_frequency instead."
        )


def _check_rate(one: Any, phases: Sequence[Phase]) -> None:
    if not isinstance(one, keras.callbacks.ReduceLROnPlateau | keras.callbacks.LearningRateScheduler):
        return
    scheduled = [phase.name for phase in phases if phase.solver == "optimizer" and is_schedule(phase.learning_rate)]
    if scheduled:
        raise TrainingError(
            f"{type(one).__name__} sets the learning rate, but in the phase {', '.join(map(repr, scheduled))} a "
            "schedule does, which cannot be set. Leave the callback out, or pass learning_rate as a number."
        )


def is_schedule(rate: Rate) -> bool:
    """Return whether a learning rate changes within a phase."""
    if isinstance(rate, EpochSchedule):
        return rate.decay != "constant" or rate.warmup_epochs > 0
    return isinstance(rate, KerasSchedule)


def _check_monitor(one: Any, *, validated: bool) -> None:
    if not isinstance(one, _MONITORS) or (isinstance(one, keras.callbacks.ModelCheckpoint) and not one.save_best_only):
        return
    name, monitor = type(one).__name__, one.monitor
    known = _SCORES if validated else _SCORES[:2]
    if monitor not in known:
        hint = "" if validated else " Pass val= for scores on validation images."
        raise TrainingError(f"{name} monitors {monitor!r}, which is not measured. Measured: {', '.join(known)}.{hint}")
    if getattr(one, "mode", None) == "auto" and monitor.removeprefix("val_") not in ("loss", "accuracy"):
        raise TrainingError(
            f"{name} monitors {monitor!r}, and Keras cannot find out whether larger values are better. Pass mode='max' "
            f"to {name}."
        )
