"""Pooling to the mean and standard deviation of each channel."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# Added under the square root, so that a constant channel has a finite gradient.
_SMALLEST_VARIANCE = 1e-8


@keras.saving.register_keras_serializable(package="breastcls")
class SpatialMoments(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Mean and standard deviation of every channel over the image: (n, rows, columns, c) to (n, 2 c), float32.

    The output does not depend on positions in the image.

    Example:
        >>> import numpy as np
        >>> SpatialMoments()(np.array([1.0, 3.0]).reshape(1, 1, 2, 1)).numpy().round(3).tolist()
        [[2.0, 1.0]]
    """

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**{**keywords, "dtype": "float32"})

    def build(self, input_shape: Any) -> None:
        """Mark the layer as built; it has no weights."""
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Return the means, followed by the standard deviations."""
        mean, variance = ops.moments(ops.cast(inputs, "float32"), axes=(1, 2))
        return ops.concatenate([mean, ops.sqrt(ops.maximum(variance, 0.0) + _SMALLEST_VARIANCE)], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (n, 2 c)."""
        return (input_shape[0], 2 * input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {name: value for name, value in super().get_config().items() if name != "dtype"}
