"""SHA-256 of the weights of a model and of their shapes, and a fingerprint that tolerates rounding."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

    from breastcls.models.runtime_model import RuntimeModel


def hash_weights(model: keras.Model | RuntimeModel) -> str:
    """Return the SHA-256 of the shapes, types and values of all weights of a model, in their order, in hexadecimal.

    Of a model in a file that Keras does not read, it is that of the file.
    """
    if hasattr(model, "hash_files"):
        return str(model.hash_files())
    network: keras.Model = model
    digest = hashlib.sha256()
    for weight in network.get_weights():
        digest.update(f"{weight.dtype.name}{weight.shape}".encode())
        digest.update(np.ascontiguousarray(weight).data)
    return digest.hexdigest()


def fingerprint_weights(model: keras.Model) -> list[float]:
    """Return three numbers that identify the weights of a model, also on another machine.

    A hash is not suitable for a run that is resumed on another machine, because initial weights differ in their last
    bits between processors. Each number is a sum over all weights, those of each array divided by its Euclidean norm,
    so that small arrays contribute too.
    """
    sums = np.zeros(3)
    for weight in model.get_weights():
        flat = np.ravel(weight).astype(np.float64)
        length = np.sqrt(np.square(flat).sum())
        if length > 0:
            sums += [flat[::stride].sum() / length for stride in (1, 2, 3)]
    return [float(value) for value in sums]


def is_same_fingerprint(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether two fingerprints belong to the same weights, except for rounding."""
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=1e-5, atol=1e-5))


def hash_shapes(model: keras.Model) -> str:
    """Return the SHA-256 of the shapes of all weights: the same for every copy of one architecture."""
    shapes = [(tuple(weight.shape), str(weight.dtype)) for weight in model.weights]
    return hashlib.sha256(repr(shapes).encode()).hexdigest()
