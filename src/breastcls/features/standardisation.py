"""The mean and the scale of features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

# Dividing a nearly constant feature by its deviation would make it arbitrarily large on new images.
LEAST_DEVIATION = 1e-6


def standardise(features: Matrix) -> tuple[Matrix, Matrix]:
    """Return the mean and the standard deviation of each feature, 1 where it is nearly constant.

    Args:
        features: float64 (n, d).

    Example:
        >>> mean, scale = standardise(np.array([[1.0, 5.0], [3.0, 5.0]]))
        >>> mean.tolist(), scale.tolist()
        ([2.0, 5.0], [1.0, 1.0])
    """
    deviation = features.std(axis=0)
    least = LEAST_DEVIATION * max(float(deviation.max()), 1e-300)
    return features.mean(axis=0), np.where(deviation > least, deviation, 1.0)
