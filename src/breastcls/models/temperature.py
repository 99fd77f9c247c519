"""Maps from a model's probabilities to calibrated ones: what is fitted on validation predictions and then kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

# float32 has no logarithm of zero; a probability of zero stays about this small.
SMALLEST = 1e-7


def apply_temperature(probabilities: npt.NDArray[Any], temperature: float) -> npt.NDArray[np.float32]:
    """Return probabilities whose logits are divided by a temperature.

    Temperature scaling after Guo et al. 2017 (arXiv:1706.04599): above 1 less sure, below 1 more; decisions stay. The
    logarithm of a softmax is its logits up to a constant, which the softmax takes away again.

    Args:
        probabilities: (n, classes), or (n, 1) with the positive class of two.
        temperature: A positive number.

    Returns:
        float32 (n, classes).

    Example:
        >>> apply_temperature(np.array([[0.9, 0.1]]), 2.0).round(3).tolist()
        [[0.75, 0.25]]
    """
    wide = np.asarray(probabilities, dtype=np.float64)
    if wide.shape[1] == 1:
        wide = np.concatenate([1 - wide, wide], axis=1)
    return np.asarray(softmax(np.log(np.clip(wide, SMALLEST, 1.0)) / temperature, axis=-1), np.float32)
