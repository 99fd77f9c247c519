"""What every call of `keras.Model.export` needs here: constant statistics, no warnings, one class of error."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np

from breastcls.errors import ModelError
from breastcls.models.engines.engine_packages import is_installed, short_message
from breastcls.models.keras_internals import flatten_layers
from breastcls.models.onnx_operations import add_operations


@contextmanager
def prepare_export(model: keras.Model, file_format: str, failure: str) -> Iterator[None]:
    """Prepare a model for `export`, which is called in this context, and translate its errors.

    Args:
        model: The model; its layers are as before at the end.
        file_format: The format that is passed to `export`.
        failure: The beginning of the message of an error: what could not be done.

    Raises:
        ModelError: If Keras or the converter cannot export the model.
        OSError: If a file cannot be written.
    """
    try:
        with warnings.catch_warnings(), _constant_statistics(model):
            # They concern the code of Keras and of the converters; what was exported is compared with the model.
            warnings.simplefilter("ignore")
            if file_format == "onnx" and is_installed("tf2onnx"):
                add_operations()
            yield
    except OSError:
        raise
    # Keras, TensorFlow and each converter raise errors of many classes.
    except Exception as error:
        raise ModelError(f"{failure}: {short_message(error)}") from error


@contextmanager
def _constant_statistics(model: keras.Model) -> Iterator[None]:
    """Make the statistics of `Normalization` layers constants for a while: as tensors they become inputs in ONNX."""
    layers = [layer for layer in flatten_layers(model) if isinstance(layer, keras.layers.Normalization)]
    before = [(layer, layer.mean, layer.variance) for layer in layers]
    try:
        for layer, mean, variance in before:
            layer.mean, layer.variance = np.asarray(mean), np.asarray(variance)
        yield
    finally:
        for layer, mean, variance in before:
            layer.mean, layer.variance = mean, variance
