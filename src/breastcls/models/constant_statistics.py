"""The statistics of `Normalization` layers as constants of an exported graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np

from breastcls.models.keras_internals import flatten_layers


@contextmanager
def constant_statistics(model: keras.Model) -> Iterator[None]:
    """Make the statistics of `Normalization` layers constants for a while: as tensors they become inputs in ONNX.

    Args:
        model: The model; its layers are as before at the end.
    """
    layers = [layer for layer in flatten_layers(model) if isinstance(layer, keras.layers.Normalization)]
    before = [(layer, layer.mean, layer.variance) for layer in layers]
    try:
        for layer, mean, variance in before:
            layer.mean, layer.variance = np.asarray(mean), np.asarray(variance)
        yield
    finally:
        for layer, mean, variance in before:
            layer.mean, layer.variance = mean, variance
