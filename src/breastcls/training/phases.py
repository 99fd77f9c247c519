"""What is trained when: first the new head, then more of the backbone at a lower rate."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import keras

from breastcls.errors import ModelError, TrainingError
from breastcls.features.exact_head import find_linear_head
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import split_model
from breastcls.models.stages import list_stages
from breastcls.training.fit_options import EpochSchedule, FineTune, KerasSchedule, Rate
from breastcls.training.fit_settings import FitSettings
from breastcls.training.keras_objects import object_to_dict


@dataclass(frozen=True)
class Phase:
    """Epochs in which the same layers are trained in the same way.

    Args:
        name: "head", "fine-tune", "all" or "as-given".
        trainable: The argument of `set_trainable`; None leaves the model as the caller set it.
        epochs: Number of epochs.
        learning_rate: The learning rate; a schedule starts at its step 0 in each phase.
        solver: "optimizer", or "lbfgs" for an exact logistic regression on features.
    """

    name: str
    trainable: str | int | None
    epochs: int
    learning_rate: Rate
    solver: str = "optimizer"

    def to_dict(self) -> dict[str, Any]:
        """Return the phase as JSON types."""
        rate = self.learning_rate
        if isinstance(rate, EpochSchedule):
            rate = dataclasses.asdict(rate)
        elif isinstance(rate, KerasSchedule):
            rate = object_to_dict(rate)
        fields = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {**fields, "learning_rate": rate}


def plan_phases(model: keras.Model, settings: FitSettings) -> list[Phase]:
    """Plan the training of a model.

    Args:
        model: One of `build_model`, or any other Keras model.
        settings: The settings of the training.

    Returns:
        With a pretrained backbone: "head", then "fine-tune" if asked for. A backbone with random weights has nothing
        to protect: one phase "all", unless the settings ask for the phases of a pretrained one, as for a model that the
        caller has trained before. A model whose card names no backbone: one phase "as-given", in which the layers are
        trained that are set to trainable; but if a setting treats backbone and head differently, the same phases as
        with a pretrained backbone. An exact fit of the head is one epoch.

    Raises:
        TrainingError: If the settings leave no epoch for a phase, ask for more stages than the backbone has, or treat
            backbone and head differently where the model cannot be split into these.
        ModelError: If the head is to be fitted exactly, and the model cannot be split.
    """
    card = get_card(model)
    epochs, rate, tune = settings.epochs, settings.rate, settings.fine_tune
    solver = settings.frozen_head.solver
    exact = solver == "lbfgs"
    foreign = card is None or card.backbone is None
    if foreign:
        asked = _of_backbone_and_head(settings)
        if not asked:
            return [Phase("as-given", None, epochs, rate)]
        _check_parts(model, ", ".join(asked), tune)
    if exact:
        find_linear_head(model)
    if tune is False:
        return [Phase("head", "head", 1 if exact else epochs, rate, solver)]
    random = not foreign and card is not None and card.weights is None
    two_phases = tune.depth != "auto" or tune.head_epochs is not None or tune.learning_rate is not None
    if random and not exact and not two_phases:
        if tune.lora_rank is not None:
            raise TrainingError(
                f"FineTune.lora_rank={tune.lora_rank} needs a pretrained backbone; that of {model.name!r} began with "
                "random weights. Leave lora_rank out; or pass depth='all' too, if you have trained the backbone before."
            )
        return [Phase("all", "all", epochs, rate)]
    depth = "all" if tune.depth == "auto" else tune.depth
    _check_depth(model, depth)
    second = _second_rate(rate, tune.learning_rate)
    if exact:
        return [Phase("head", "head", 1, rate, "lbfgs"), Phase("fine-tune", depth, epochs, second)]
    first = max(1, epochs // 3) if tune.head_epochs is None else tune.head_epochs
    if first >= epochs:
        raise TrainingError(
            f"epochs={epochs} leaves none for fine-tuning after {first} for the head alone. Raise epochs, or pass "
            "fine_tune=False to train the head only."
        )
    return [Phase("head", "head", first, rate), Phase("fine-tune", depth, epochs - first, second)]


def _second_rate(first: Rate, asked: Rate | None) -> Rate:
    """Return the learning rate of fine-tuning."""
    number = asked if isinstance(asked, int | float) else None
    if asked is not None and (number is None or not isinstance(first, EpochSchedule)):
        return asked
    if isinstance(first, EpochSchedule):
        return dataclasses.replace(first, peak=first.peak / 10 if number is None else number)
    return first / 10 if isinstance(first, int | float) else first


def _of_backbone_and_head(settings: FitSettings) -> list[str]:
    """Return the settings, as they may be written, that treat the backbone differently from the head."""
    tune = settings.fine_tune
    asked = []
    if tune is False:
        asked.append("fine_tune=False")
    elif tune != FineTune():
        asked.append(f"fine_tune={tune!r}")
    if settings.frozen_head.solver != "optimizer":
        asked.append(f"frozen_head={settings.frozen_head.solver!r}")
    return asked


def _check_parts(model: keras.Model, asked: str, tune: FineTune | Literal[False]) -> None:
    """Check that a model that was not made by `build_model` can be trained in the phases that were asked for."""
    if tune is not False and (tune.depth not in ("auto", "all") or tune.layer_decay != 1):
        raise TrainingError(
            f"{asked} needs a model from build_model: the stages of the backbone of {model.name!r} are not known. "
            "Possible are fine_tune=False, which trains the head, and fine_tune='all', which trains the whole backbone."
        )
    try:
        split_model(model)
    except ModelError as error:
        raise TrainingError(
            f"{asked} needs a model whose backbone is nested in it as one layer, before the head. {error} Leave it out "
            "to train the model as it is, that is the layers that are set to trainable."
        ) from error


def _check_depth(model: keras.Model, depth: str | int) -> None:
    if depth == "all":
        return
    stages = len(list_stages(model)) - 1
    if stages < (1 if depth == "last-stage" else int(depth)):
        raise TrainingError(
            f"fine_tune={depth!r}: the backbone of {model.name!r} has {stages} stages. Ask for fewer, or for 'all'."
        )
