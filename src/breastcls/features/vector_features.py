"""Features of a model of vectors: the vectors themselves, or what its first part makes of them."""

from __future__ import annotations

import keras
import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.features.frozen_inference import Features
from breastcls.models.inference import run_batches
from breastcls.models.keras_internals import flatten_layers

_ROWS_AT_ONCE = 4096
_UNCHANGED = (keras.layers.InputLayer, keras.layers.Identity, keras.Model)


def read_vector_features(frozen: keras.Model, data: Dataset) -> Features:
    """Return the output of a model for the vectors of a dataset, float32 (1, n, ...).

    Args:
        frozen: The model, run as in inference.
        data: A dataset with vectors of its size.
    """
    vectors = data.vectors
    assert vectors is not None, "checked by the caller"
    if all(isinstance(layer, _UNCHANGED) for layer in flatten_layers(frozen)):
        return vectors[None]
    starts = range(0, len(vectors), _ROWS_AT_ONCE)
    parts = run_batches(frozen, [np.asarray(vectors[start : start + _ROWS_AT_ONCE]) for start in starts])
    return np.concatenate([np.asarray(part, np.float32) for part in parts])[None]
