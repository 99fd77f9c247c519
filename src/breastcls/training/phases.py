"""What is trained when: first the new head, then more of the backbone at a lower rate."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from breastcls.errors import ModelError, TrainingError
from breastcls.features.exact_head import find_linear_head
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import split_model
from breastcls.models.stages import list_stages
from breastcls.training.fit_settings import Settings


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs in which the same layers learn at the same rate.

    Args:
        name: "head", "fine-tune", "all" or "as-given".
        trainable: What `set_trainable` is told; None leaves the model as the caller set it.
        epochs: Number of epochs.
        learning_rate: Highest rate of the optimizer.
        solver: "adam" for the optimizer of the settings, "lbfgs" for an exact logistic regression on features.
    """

    name: str
    trainable: str | int | None
    epochs: int
    learning_rate: float
    solver: str = "adam"


def plan_phases(model: keras.Model, settings: Settings) -> list[Phase]:
    """Plan the training of a model.

    Args:
        model: One of `build_model`, or any other Keras model.
        settings: The settings of the training.

    Returns:
        With a pretrained backbone: "head", then "fine-tune" if asked for. A backbone with random weights has nothing
        to protect: one phase "all", unless the settings ask for the phases of a pretrained one, as for a model that the
        caller has trained before. A model whose card names no backbone: one phase "as-given", in which learns what
        its layers say; but if a setting speaks of backbone and head, the same phases as with a pretrained backbone.
        With `head_solver="lbfgs"` the head takes one epoch.

    Raises:
        TrainingError: If the settings leave no epoch for a phase, ask for more stages than the backbone has, or speak
            of a backbone and a head where the model cannot be split into these.
        ModelError: If the solver is to fit the head exactly, and the model cannot be split.
    """
    card = get_card(model)
    epochs, rate, tune = settings.epochs, settings.learning_rate, settings.fine_tune
    exact = settings.head_solver == "lbfgs"
    foreign = card is None or card.backbone is None
    if foreign:
        spoken = _of_backbone_and_head(settings)
        if not spoken:
            return [Phase("as-given", None, epochs, rate)]
        _check_parts(model, spoken, settings)
    if exact:
        find_linear_head(model)
    if tune is False:
        return [Phase("head", "head", 1 if exact else epochs, rate, settings.head_solver)]
    random = not foreign and card is not None and card.weights is None
    if random and not exact and not _asks_for_stages(settings):
        return [Phase("all", "all", epochs, rate)]
    depth: str | int = "all" if tune is True else tune
    _check_depth(model, depth)
    second_rate = rate / 10 if settings.fine_tune_rate is None else settings.fine_tune_rate
    if exact:
        return [Phase("head", "head", 1, rate, "lbfgs"), Phase("fine-tune", depth, epochs, second_rate)]
    first = max(1, epochs // 3) if settings.head_epochs is None else settings.head_epochs
    if first >= epochs:
        raise TrainingError(
            f"epochs={epochs} leaves none for fine-tuning after {first} for the head alone. Raise epochs, or pass "
            "fine_tune=False to train the head only."
        )
    return [Phase("head", "head", first, rate), Phase("fine-tune", depth, epochs - first, second_rate)]


def _asks_for_stages(settings: Settings) -> bool:
    """Tell whether the settings speak of a head that is trained first, or of a part of the backbone."""
    return settings.head_epochs is not None or settings.fine_tune_rate is not None or settings.fine_tune is not True


def _of_backbone_and_head(settings: Settings) -> list[str]:
    """Return the settings, as they were written, that treat the backbone otherwise than the head."""
    usual = Settings()
    names = ("head_epochs", "fine_tune_rate", "layer_decay", "batch_norm", "head_solver")
    given = [name for name in names if getattr(settings, name) != getattr(usual, name)]
    # Not by equality: one stage, 1, equals True.
    first = [] if settings.fine_tune is True else ["fine_tune"]
    return [f"{name}={getattr(settings, name)!r}" for name in first + given]


def _check_parts(model: keras.Model, spoken: list[str], settings: Settings) -> None:
    """See that what is asked for can be done with a model that was not made by `build_model`."""
    asked = ", ".join(spoken)
    staged = settings.fine_tune == "last-stage" or type(settings.fine_tune) is int
    if staged or settings.layer_decay != 1:
        raise TrainingError(
            f"{asked} needs a model from build_model: of {model.name!r} it is not known which stages its backbone has. "
            "Known are the head, fine_tune=False, and the whole backbone, fine_tune='all'."
        )
    try:
        split_model(model)
    except ModelError as error:
        raise TrainingError(
            f"{asked} needs a model whose backbone is nested in it as one layer, before the head. {error} Leave it out "
            "to train the model as it is, with the layers learning that are set to trainable."
        ) from error


def _check_depth(model: keras.Model, depth: str | int) -> None:
    if depth == "all":
        return
    stages = len(list_stages(model)) - 1
    if stages < (1 if depth == "last-stage" else int(depth)):
        raise TrainingError(
            f"fine_tune={depth!r}: the backbone of {model.name!r} has {stages} stages. Ask for fewer, or for 'all'."
        )
