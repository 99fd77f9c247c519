"""Optimizer, schedule and loss of a phase, from the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from breastcls.models.keras_internals import with_rate_factors
from breastcls.models.model_parts import find_backbone
from breastcls.models.stages import list_stages
from breastcls.training.fit_settings import Settings

_OPTIMIZERS: Mapping[str, Any] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "adagrad": keras.optimizers.Adagrad,
    "nadam": keras.optimizers.Nadam,
    "lion": keras.optimizers.Lion,
}
# Decaying these moves the output without making the function simpler (DOI 10.48550/arXiv.1812.01187).
_NOT_DECAYED = ("bias", "gamma", "beta")


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # Keras ships no types
    """A rate that rises evenly from near zero and then stays.

    Args:
        rate: The rate it rises to.
        steps: Steps until it is there.
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


def make_schedule(settings: Settings, rate: float, steps: int, epochs: int) -> Any:
    """Return the learning rate of a phase: a number, or a schedule over its steps.

    Args:
        settings: `schedule` and `warmup_epochs` count.
        rate: The highest rate.
        steps: Steps an epoch.
        epochs: Epochs of the phase.

    Returns:
        A float for a constant rate; otherwise a Keras schedule that rises over `warmup_epochs`, then stays
        ("constant") or falls to zero along half a cosine ("cosine", DOI 10.48550/arXiv.1608.03983).
    """
    warm = min(round(settings.warmup_epochs * steps), epochs * steps)
    if settings.schedule == "cosine":
        rising = {"warmup_target": rate, "warmup_steps": warm} if warm else {}
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warm else rate, decay_steps=max(epochs * steps - warm, 1), **rising
        )
    return WarmUp(rate, warm) if warm else rate


def make_optimizer(settings: Settings, rate: Any, shares: Mapping[str, float] | None = None) -> Any:
    """Make the optimizer of a phase.

    Args:
        settings: `optimizer`, `weight_decay` and `clip_norm` count.
        rate: From `make_schedule`.
        shares: By the path of a variable, the share of the rate at which it learns and decays; all do so at the full
            rate otherwise.
    """
    base = _OPTIMIZERS[settings.optimizer]
    options: dict[str, Any] = {"learning_rate": rate, "global_clipnorm": settings.clip_norm}
    options["weight_decay"] = settings.weight_decay or None
    if settings.optimizer == "sgd":
        options["momentum"] = 0.9
    if settings.optimizer == "adamw" and not settings.weight_decay:
        options["weight_decay"] = 0.0
    optimizer = base(**options) if not shares else with_rate_factors(base)(shares, **options)
    if settings.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=list(_NOT_DECAYED))
    return optimizer


def layer_shares(model: keras.Model, decay: float) -> dict[str, float]:
    """Return for each weight of the backbone the share of the rate at which it learns.

    The head learns at the full rate, the last stage of the backbone at `decay` of it, the stage below at `decay`
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


def make_loss(settings: Settings) -> Any:
    """Return the loss over labels given as shares of the classes, float32 (b, classes)."""
    if settings.loss == "focal":
        # DOI 10.1109/ICCV.2017.324. Classes are weighted by class_weight, so alpha is the same for all.
        return keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=2.0, label_smoothing=settings.label_smoothing)
    return keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
