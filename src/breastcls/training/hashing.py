"""Fingerprints of a model: of its weights, and of their shapes."""

from __future__ import annotations

import hashlib

import keras
import numpy as np


def hash_weights(model: keras.Model) -> str:
    """Return the SHA-256 of all weights of a model, in hexadecimal."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(repr((weight.shape, str(weight.dtype))).encode())
        digest.update(np.ascontiguousarray(weight).data)
    return digest.hexdigest()


def hash_shapes(model: keras.Model) -> str:
    """Return the SHA-256 of the shapes of all weights: the same for every copy of one architecture."""
    shapes = [(tuple(weight.shape), str(weight.dtype)) for weight in model.weights]
    return hashlib.sha256(repr(shapes).encode()).hexdigest()
