"""What is trained when: first the new head, then more of the backbone at a lower rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import keras

from breastcls.errors import TrainingError
from breastcls.models.card import get_card

FineTune = bool | Literal["last-stage"]


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs in which the same layers learn at the same rate.

    Args:
        name: "head", "fine-tune", "all" or "as-given".
        trainable: What `set_trainable` is told; None leaves the model as the caller set it.
        epochs: Number of epochs.
        learning_rate: Rate of the optimizer.
    """

    name: str
    trainable: str | None
    epochs: int
    learning_rate: float


def plan_phases(
    model: keras.Model,
    epochs: int,
    learning_rate: float,
    fine_tune: FineTune,
    head_epochs: int | None = None,
    fine_tune_rate: float | None = None,
) -> list[Phase]:
    """Plan the training of a model.

    Args:
        model: One of `build_model`, or any other Keras model.
        epochs: Epochs in all.
        learning_rate: Rate of the first phase.
        fine_tune: True for the whole backbone, "last-stage" for its last stage, False for the head alone.
        head_epochs: How many of the epochs the head is trained alone; a third by default.
        fine_tune_rate: Rate of the second phase; a tenth of the first by default.

    Returns:
        With a pretrained backbone: "head", then "fine-tune" if asked for. A backbone with random weights has nothing
        to protect: one phase "all". A model that is not from `build_model`: one phase "as-given".

    Raises:
        TrainingError: If an argument is not valid.
    """
    if fine_tune not in (True, False, "last-stage"):
        raise TrainingError(f"fine_tune must be True, False or 'last-stage'; found {fine_tune!r}.")
    for name, value in (("epochs", epochs), ("head_epochs", head_epochs)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise TrainingError(f"{name} must be a whole number of at least 1; found {value!r}.")
    for name, rate in (("learning_rate", learning_rate), ("fine_tune_rate", fine_tune_rate)):
        if rate is not None and not 0 < rate < float("inf"):
            raise TrainingError(f"{name} must be a positive number; found {rate!r}.")
    card = get_card(model)
    if card is None:
        return [Phase("as-given", None, epochs, learning_rate)]
    if fine_tune is False:
        return [Phase("head", "head", epochs, learning_rate)]
    if card.weights is None:
        return [Phase("all", "all", epochs, learning_rate)]
    first = max(1, epochs // 3) if head_epochs is None else head_epochs
    if first >= epochs:
        raise TrainingError(
            f"epochs={epochs} leaves none for fine-tuning after {first} for the head alone. Raise epochs, or pass "
            "fine_tune=False to train the head only."
        )
    second = "last-stage" if fine_tune == "last-stage" else "all"
    rate = learning_rate / 10 if fine_tune_rate is None else fine_tune_rate
    return [Phase("head", "head", first, learning_rate), Phase("fine-tune", second, epochs - first, rate)]
