"""The probability of the positive class alone, (n, 1), as the probabilities of two classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def expand_single_output(probabilities: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return probabilities (n, 1) of the positive class as float64 (n, 2); others are returned as they are.

    Example:
        >>> expand_single_output(np.array([[0.25]])).tolist()
        [[0.75, 0.25]]
    """
    if probabilities.shape[1] != 1:
        return probabilities
    positive = probabilities.astype(np.float64)
    return np.concatenate([1 - positive, positive], axis=1)


def expand_single_tensor(output: Any) -> Any:
    """Return an output (n, 1) in training as a float32 tensor (n, 2); others are returned as they are.

    A sigmoid of z equals the softmax of (0, z). The expansion is that softmax where Keras keeps z, so that the gradient
    does not vanish where the sigmoid is rounded to 0 or 1.
    """
    if output.shape[-1] != 1:
        return output
    # Not at the top of the file: predictions of another framework are scored without Keras.
    import keras

    from breastcls.models.keras_internals import logits_of

    logits = logits_of(output)
    if logits is not None:
        logits = keras.ops.cast(logits, "float32")
        return keras.ops.softmax(keras.ops.concatenate([keras.ops.zeros_like(logits), logits], axis=-1), axis=-1)
    output = keras.ops.cast(output, "float32")
    return keras.ops.concatenate([1.0 - output, output], axis=-1)
