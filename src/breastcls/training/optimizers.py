"""Optimizer, learning rate and loss of a training phase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from breastcls.argument_checks import check_choice
from breastcls.errors import TrainingError
from breastcls.models.keras_internals import excludes_from_weight_decay, initial_rate, with_rate_factors
from breastcls.models.model_parts import find_backbone
from breastcls.models.stages import list_stages
from breastcls.training.fit_options import EpochSchedule, KerasSchedule, Rate

_OPTIMIZERS: Mapping[str, tuple[Any, dict[str, Any]]] = {
    "adam": (keras.optimizers.Adam, {}),
    # Without weight decay, as it was asked for by name alone: Keras' own default is 0.004.
    "adamw": (keras.optimizers.AdamW, {"weight_decay": 0.0}),
    "sgd": (keras.optimizers.SGD, {"momentum": 0.9}),
    "rmsprop": (keras.optimizers.RMSprop, {}),
    "adagrad": (keras.optimizers.Adagrad, {}),
    "nadam": (keras.optimizers.Nadam, {}),
    "lion": (keras.optimizers.Lion, {}),
}
OPTIMIZERS = tuple(_OPTIMIZERS)
"""The names of optimizers for `fit`."""

# Decaying these changes the output without making the function simpler (DOI 10.48550/arXiv.1812.01187).
_NOT_DECAYED = ("bias", "gamma", "beta")


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # Keras ships no types
    """A learning rate that rises linearly from near zero and then stays.

    Args:
        rate: The rate after the rise.
        steps: Number of steps of the rise.
    """

    def __init__(self, rate: float, steps: int) -> None:
        super().__init__()
        self.rate, self.steps = rate, steps

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 0."""
        share = (keras.ops.cast(step, "float32") + 1) / max(self.steps, 1)
        return self.rate * keras.ops.minimum(share, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {"rate": self.rate, "steps": self.steps}


def make_schedule(rate: Rate, steps: int, epochs: int) -> Any:
    """Return the learning rate of a phase as Keras takes it: a number, or a schedule over its steps.

    Args:
        rate: The learning rate.
        steps: Steps per epoch.
        epochs: Epochs of the phase.

    Returns:
        A number and a Keras schedule as they are. For an `EpochSchedule` without decay and warm-up its peak, otherwise
        a Keras schedule over the steps of the phase.
    """
    if not isinstance(rate, EpochSchedule):
        return rate
    warm = min(round(rate.warmup_epochs * steps), epochs * steps)
    if rate.decay == "cosine":
        rising = {"warmup_target": rate.peak, "warmup_steps": warm} if warm else {}
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warm else rate.peak, decay_steps=max(epochs * steps - warm, 1), **rising
        )
    return WarmUp(rate.peak, warm) if warm else rate.peak


def make_optimizer(
    optimizer: str | keras.optimizers.Optimizer, rate: Any, shares: Mapping[str, float] | None = None
) -> keras.optimizers.Optimizer:
    """Make the optimizer of a phase.

    Biases and the parameters of normalisation are left out of its weight decay.

    Args:
        optimizer: Its name, or an optimizer whose configuration is used; the object itself is left as it is.
        rate: From `make_schedule`.
        shares: By the path of a variable, the share of the rate at which it is trained and decayed; all others are at
            the full rate.
    """
    if isinstance(optimizer, str):
        kind, options = _OPTIMIZERS[optimizer]
    else:
        kind, options = type(optimizer), optimizer.get_config()
    config = {**options, "learning_rate": rate}
    if shares:
        made = with_rate_factors(kind).from_config(config)
        made.set_factors(shares)
    else:
        made = kind.from_config(config)
    if made.weight_decay:
        made.exclude_from_weight_decay(var_names=list(_NOT_DECAYED))
    return made


def rate_of(optimizer: keras.optimizers.Optimizer) -> float | KerasSchedule:
    """Return the learning rate that an optimizer was made with: a number or a schedule."""
    rate = initial_rate(optimizer)
    return rate if isinstance(rate, KerasSchedule) else float(keras.ops.convert_to_numpy(rate))


def check_optimizer(optimizer: Any) -> None:
    """See that an optimizer can be used in every phase and made again from its configuration.

    Raises:
        TrainingError: If it cannot.
    """
    if isinstance(optimizer, str):
        check_choice("optimizer", optimizer, OPTIMIZERS, error=TrainingError)
        return
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TrainingError(
            f"optimizer must be one of {', '.join(map(repr, OPTIMIZERS))} or a keras.optimizers.Optimizer; found "
            f"{optimizer!r}."
        )
    name = type(optimizer).__name__
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        raise TrainingError(
            "optimizer is a LossScaleOptimizer. Pass the optimizer inside it: with "
            "Devices(precision='float16') fit scales the loss by itself."
        )
    rate = initial_rate(optimizer)
    if callable(rate) and not isinstance(rate, KerasSchedule):
        raise TrainingError(
            f"The learning rate of the optimizer {name} is a function, which cannot be recorded. Use a number or a "
            "keras.optimizers.schedules.LearningRateSchedule."
        )
    if optimizer.use_ema and not optimizer.ema_overwrite_frequency:
        raise TrainingError(
            f"The optimizer {name} has use_ema=True without ema_overwrite_frequency, so that its averaged weights "
            "would never be used: fit keeps the weights of the best epoch. Set ema_overwrite_frequency, or leave "
            "use_ema out."
        )
    if excludes_from_weight_decay(optimizer):
        raise TrainingError(
            f"exclude_from_weight_decay was called on the optimizer {name}. Keras does not keep that in its "
            "configuration, so that it cannot be recorded. fit leaves biases and the parameters of normalisation out "
            "of the weight decay by itself."
        )
    try:
        type(optimizer).from_config({**optimizer.get_config(), "learning_rate": rate_of(optimizer)})
    except (TypeError, ValueError, KeyError, AttributeError, NotImplementedError) as error:
        raise TrainingError(
            f"The optimizer {name} cannot be made again from its get_config(), as each phase of training needs it: "
            f"{error}. Let get_config return every argument of __init__."
        ) from error


def layer_shares(model: keras.Model, decay: float) -> dict[str, float]:
    """Return for each weight of the backbone the share of the learning rate at which it is trained.

    The head is trained at the full rate, the last stage of the backbone at `decay` of it, the stage below at `decay`
    squared, and so on down to the stem (discriminative fine-tuning, DOI 10.18653/v1/P18-1031).

    Args:
        model: A model from `build_model`.
        decay: Above 0, at most 1; at 1 nothing is returned.
    """
    if decay == 1:
        return {}
    backbone = find_backbone(model)
    return {
        weight.path: decay ** (number + 1)
        for number, names in enumerate(list_stages(model))
        for name in names
        for weight in backbone.get_layer(name).weights
    }


def make_loss(loss: str | keras.losses.Loss) -> keras.losses.Loss:
    """Return a loss over labels given as shares of the classes, float32 (b, classes).

    Args:
        loss: "cross-entropy", "focal", or a loss, which is returned as it is.
    """
    if loss == "focal":
        # DOI 10.1109/ICCV.2017.324. Classes are weighted by class_weight, so alpha is the same for all.
        return keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=2.0)
    return keras.losses.CategoricalCrossentropy() if loss == "cross-entropy" else loss


def check_loss(loss: Any) -> None:
    """See that a loss can be computed for probabilities of classes, with class weights.

    Raises:
        TrainingError: If it cannot.
    """
    if isinstance(loss, str):
        check_choice("loss", loss, ("cross-entropy", "focal"), error=TrainingError)
        return
    if not isinstance(loss, keras.losses.Loss):
        raise TrainingError(f"loss must be 'cross-entropy', 'focal' or a keras.losses.Loss; found {loss!r}.")
    name, expected = type(loss).__name__, "Expected a loss such as keras.losses.CategoricalCrossentropy()."
    config = loss.get_config()
    if isinstance(loss, keras.losses.SparseCategoricalCrossentropy):
        raise TrainingError(f"loss is {name}, which takes class indices; labels are given one-hot. {expected}")
    if config.get("from_logits"):
        raise TrainingError(
            f"loss is {name} with from_logits=True, but the model has probabilities as outputs. Leave it out."
        )
    if loss.reduction != "sum_over_batch_size":
        raise TrainingError(
            f"loss is {name} with reduction={loss.reduction!r}; class weights are applied per image and then averaged. "
            "Leave reduction out."
        )
    labels = np.eye(3, dtype=np.float32)
    try:
        value = np.asarray(keras.ops.convert_to_numpy(loss(labels, np.full((3, 3), 1 / 3, np.float32))))
        again = type(loss).from_config(config)
    except Exception as error:  # A loss of the caller's own may raise anything.
        raise TrainingError(
            f"loss {name} cannot be used: on one-hot labels and probabilities of shape (images, classes), or when it "
            f"is made again from its get_config(), it raises {type(error).__name__}: {error} {expected}"
        ) from error
    if value.shape or not np.isfinite(value) or type(again) is not type(loss):
        raise TrainingError(f"loss {name} is {value} for three images; one finite number is needed. {expected}")
