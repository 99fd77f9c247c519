"""What is trained when: first the new head, then more of the backbone at a lower rate."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from breastcls.errors import TrainingError
from breastcls.models.card import get_card
from breastcls.training.settings import Settings


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
        to protect: one phase "all". A model that is not from `build_model`: one phase "as-given". With
        `head_solver="lbfgs"` the head takes one epoch, whatever `head_epochs` says.

    Raises:
        TrainingError: If the settings leave no epoch for a phase, or the solver does not fit the model.
    """
    card = get_card(model)
    epochs, rate, tune = settings.epochs, settings.learning_rate, settings.fine_tune
    exact = settings.head_solver == "lbfgs"
    if card is None or card.backbone is None:
        if exact or settings.layer_decay != 1:
            wanted = "head_solver='lbfgs'" if exact else f"layer_decay={settings.layer_decay}"
            raise TrainingError(
                f"{wanted} needs a model from build_model: of this one it is not known what is backbone and what head."
            )
        return [Phase("as-given", None, epochs, rate)]
    if tune is False:
        return [Phase("head", "head", 1 if exact else epochs, rate, settings.head_solver)]
    if card.weights is None and not exact:
        return [Phase("all", "all", epochs, rate)]
    depth: str | int = "all" if tune is True else tune
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
