"""Loss and accuracy of a model with one sigmoid output, as those of the same model with a softmax over two outputs."""

from __future__ import annotations

from typing import Any

import keras

from breastcls.models.single_output import expand_single_tensor

_BINARY = (keras.losses.BinaryCrossentropy, keras.losses.BinaryFocalCrossentropy)


class SingleOutputLoss(keras.losses.Loss):  # type: ignore[misc]  # Keras ships no types
    """A loss over one-hot labels of two classes for a model whose output is (n, 1).

    Args:
        loss: A loss over one-hot labels (n, 2) and probabilities (n, 2), or one of Keras for a single output.
        reduction: As for `keras.losses.Loss`.
    """

    def __init__(self, loss: Any, reduction: str = "sum_over_batch_size") -> None:
        super().__init__(name=loss.name, reduction=reduction)
        self.loss = loss

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each image, (n,)."""
        if isinstance(self.loss, _BINARY):
            return self.loss.call(y_true[:, 1:], y_pred)
        return self.loss.call(y_true, expand_single_tensor(y_pred))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"loss": self.loss, "reduction": self.reduction}


class SingleOutputAccuracy(keras.metrics.CategoricalAccuracy):  # type: ignore[misc]
    """Accuracy over one-hot labels of two classes for a model whose output is (n, 1)."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        super().update_state(y_true, expand_single_tensor(y_pred), sample_weight)


def loss_for(model: keras.Model, loss: keras.losses.Loss) -> keras.losses.Loss:
    """Return a loss over one-hot labels for a model with an output (n, classes) or (n, 1)."""
    return SingleOutputLoss(loss) if model.output_shape[-1] == 1 else loss


def accuracy_for(model: keras.Model) -> keras.metrics.Metric:
    """Return the accuracy over one-hot labels for a model with an output (n, classes) or (n, 1)."""
    kind = SingleOutputAccuracy if model.output_shape[-1] == 1 else keras.metrics.CategoricalAccuracy
    return kind(name="accuracy")
