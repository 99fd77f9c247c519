"""SHA-256 of a model: of its weights, and of their shapes. One weight has one hash, wherever it is written."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


def hash_weights(model: keras.Model) -> str:
    """Return the SHA-256 of all weights of a model: shapes, types and values, in their order, in hexadecimal."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(f"{weight.dtype.name}{weight.shape}".encode())
        digest.update(np.ascontiguousarray(weight).data)
    return digest.hexdigest()


def sketch_weights(model: keras.Model) -> list[float]:
    """Return three sums over all weights, to four digits: other in other models, but alike for the same on any machine.

    A hash would not do where runs go on elsewhere, since initial weights differ in their last bits between processors.
    """
    flat = [np.ravel(weight) for weight in model.get_weights()]
    return [float(f"{sum(float(np.sum(one[::stride], dtype=np.float64)) for one in flat):.4g}") for stride in (1, 2, 3)]


def hash_shapes(model: keras.Model) -> str:
    """Return the SHA-256 of the shapes of all weights: the same for every copy of one architecture."""
    shapes = [(tuple(weight.shape), str(weight.dtype)) for weight in model.weights]
    return hashlib.sha256(repr(shapes).encode()).hexdigest()
