"""Logarithms of probabilities that may be zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SMALLEST_PROBABILITY = 1e-7
"""Probabilities are raised to this before their logarithm is taken; float32 resolves no smaller distance from 1."""


def log_probabilities(probabilities: Any) -> npt.NDArray[np.float64]:
    """Return the natural logarithm of probabilities, float64, of `SMALLEST_PROBABILITY` where they are smaller.

    The logarithm of a softmax equals its logits up to one constant per row.

    Example:
        >>> log_probabilities([1.0, 0.0]).round(2).tolist()
        [0.0, -16.12]
    """
    wide = np.asarray(probabilities, dtype=np.float64)
    return np.asarray(np.log(np.clip(wide, SMALLEST_PROBABILITY, 1.0)))
