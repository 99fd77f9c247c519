"""The one rule by which probabilities become decisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

HALF = 0.5
"""Where two classes are decided that have no threshold."""


def decide(probabilities: npt.NDArray[Any], threshold: float | None = None) -> npt.NDArray[np.int64]:
    """Return the class decided for each row.

    Two classes: the positive one, the last, from the threshold on (`positive >= threshold`), without one from 0.5 on.
    So a tie, such as a vote of as many images for as against, is called positive: the rule of ROC curves and operating
    tables, and of two mistakes the one that a second look can mend. More classes: the most probable one, of equals the
    first.

    Args:
        probabilities: (..., classes).
        threshold: Of two classes; compared in float32, as the probabilities are kept.

    Returns:
        int64 (...).

    Example:
        >>> decide(np.array([[0.5, 0.5], [0.7, 0.3]])).tolist(), decide(np.array([[0.4, 0.2, 0.4]])).tolist()
        ([1, 0], [0])
    """
    if probabilities.shape[-1] == 2:
        return (probabilities[..., 1] >= np.float32(HALF if threshold is None else threshold)).astype(np.int64)
    return np.asarray(probabilities.argmax(axis=-1), dtype=np.int64)
