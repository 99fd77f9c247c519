"""Division of counts, whose denominators may be zero."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def divide(above: npt.ArrayLike, below: npt.ArrayLike, undefined: float = np.nan) -> npt.NDArray[np.float64]:
    """Return `above / below` in float64, and `undefined` where `below` is not positive.

    Example:
        >>> divide([1, 0], [4, 0]).tolist(), divide([1, 0], [4, 0], 0.0).tolist()
        ([0.25, nan], [0.25, 0.0])
    """
    above, below = np.asarray(above), np.asarray(below)
    quotient = np.full(np.broadcast_shapes(above.shape, below.shape), undefined)
    return np.asarray(np.divide(above, below, out=quotient, where=below > 0))
