"""A confidence interval of the AUC that has a width also where the classes are perfectly separated.

Every resample of perfectly separated cases is perfectly separated, so that a bootstrap has no variation there. Method 5
of Newcombe 2006 (part 2, DOI 10.1002/sim.2324) uses only the AUC and the number of observations of each class: it
inverts the test of each possible true AUC, with the variance that Hanley & McNeil 1982 (DOI
10.1148/radiology.143.1.7063747) give for exponential distributions and the mean of both numbers in place of each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Floats = npt.NDArray[np.float64]
# Halvings of 0..1: beyond the precision of a float.
STEPS = 60


def auc_variance(auc: Floats, first: Any, second: Any) -> Floats:
    """Return the variance of an estimate of a true AUC (V2 of Newcombe 2006).

    Args:
        auc: True AUC, 0..1.
        first: Number of observations of the one class.
        second: Number of observations of the other.
    """
    mean = (np.asarray(first, np.float64) + second) / 2 - 1
    spread = 1 + mean * (1 - auc) / (2 - auc) + mean * auc / (1 + auc)
    return np.asarray(auc * (1 - auc) * spread / (np.asarray(first, np.float64) * second))


def auc_interval(auc: Any, first: Any, second: Any, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return the confidence interval of an AUC by method 5 of Newcombe 2006.

    Args:
        auc: The AUC found, 0..1, any shape.
        first: Number of independent observations (here cases) of the one class, the same shape or a number.
        second: Those of the other.
        confidence: Nominal coverage, in 0..1.

    Returns:
        Lower and upper bounds, float64.

    Example:
        >>> low, high = auc_interval(1.0, 5, 15)
        >>> round(float(low), 3), round(float(high), 3)
        (0.745, 1.0)
    """
    found, one, two = np.broadcast_arrays(*(np.asarray(part, np.float64) for part in (auc, first, second)))
    z = float(ndtri(0.5 + confidence / 2))
    return _bound(found, one, two, z, -1.0), _bound(found, one, two, z, 1.0)


def _bound(found: Floats, one: Floats, two: Floats, z: float, side: float) -> Floats:
    """Return the true AUC furthest from the one found, on one side, that a test of it does not reject."""
    near, far = found.copy(), np.full(found.shape, 0.0 if side < 0 else 1.0)
    for _ in range(STEPS):
        middle = (near + far) / 2
        rejected = np.abs(middle - found) > z * np.sqrt(auc_variance(middle, one, two))
        near, far = np.where(rejected, near, middle), np.where(rejected, middle, far)
    return np.asarray(far)
