"""One training step, and the means of loss and accuracy over the steps of an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

from breastcls.models.keras_internals import skip_gradient_sum


class Step(Protocol):
    """Trains a model on one batch."""

    def __call__(self, inputs: Any, labels: Any) -> tuple[float, float, int]:
        """Train on one batch; return its loss, its accuracy and its number of images."""


class KerasStep:
    """The training step of Keras, on one device.

    Args:
        model: The compiled model.
        class_count: Number of classes.
        weights: Class weights by index, or None.
    """

    def __init__(self, model: keras.Model, class_count: int, weights: dict[int, float] | None) -> None:
        self._model, self._class_count = model, class_count
        self._weights = None if weights is None else weight_table(weights)
        # Other backends have no such strategy, and their optimizers do not sum.
        strategy = getattr(model, "distribute_strategy", None)
        if strategy is not None and strategy.num_replicas_in_sync == 1:
            skip_gradient_sum(model.optimizer)

    def __call__(self, inputs: Any, labels: Any) -> tuple[float, float, int]:
        """Train on one batch; return its loss, its accuracy and its number of images."""
        shares = as_shares(labels, self._class_count)
        weights = None if self._weights is None else keras.ops.matmul(shares, self._weights)
        logs = self._model.train_on_batch(inputs, shares, sample_weight=weights, return_dict=True)
        return float(logs["loss"]), float(logs["accuracy"]), len(shares)


def weight_table(weights: dict[int, float]) -> np.ndarray:
    """Return class weights as float32 (classes,), in the order of the classes."""
    return np.array([weights[index] for index in sorted(weights)], np.float32)


def as_shares(labels: Any, class_count: int) -> Any:
    """Return labels as float32 (b, classes), also where they come as class indices."""
    if len(labels.shape) == 2:
        return labels
    return keras.ops.one_hot(labels, class_count, dtype="float32")


@dataclass
class EpochMeans:
    """Loss and accuracy of an epoch so far, as means over images.

    Args:
        loss: Sum over images.
        accuracy: Sum over images.
        images: Their number.
    """

    loss: float = 0.0
    accuracy: float = 0.0
    images: int = 0

    def add(self, loss: float, accuracy: float, images: int) -> None:
        """Add a batch."""
        self.loss += loss * images
        self.accuracy += accuracy * images
        self.images += images

    def logs(self) -> dict[str, float]:
        """Return the means under the names that Keras callbacks use."""
        count = max(self.images, 1)
        return {"loss": self.loss / count, "accuracy": self.accuracy / count}
