"""The engine Keras, which runs every Keras model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from threading import Lock
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.models.engines.session import Session
from breastcls.models.retracing_advice import hide_retracing_advice

# With JAX Keras passes the arrays of the weights to the computation, which frees them, and takes new ones from it: a
# second thread would find them freed.
_ONE_AT_A_TIME = Lock()


class KerasSession(Session):
    """A Keras model with one input and one output.

    Args:
        model: The model. It is not copied: later changes of its weights have an effect.
    """

    engine = "keras"

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.version = keras.__version__
        self.precision = str(model.compute_dtype)
        self.input_shape = tuple(model.input_shape)
        self.output_shape = tuple(model.output_shape)

    @override
    def run(self, batch: npt.ArrayLike) -> npt.NDArray[np.float32]:
        return np.asarray(next(run_keras_batches(self.model, [batch])), np.float32)

    @override
    def run_batches(self, batches: Iterable[Any]) -> Iterator[npt.NDArray[Any]]:
        return run_keras_batches(self.model, batches)


def run_keras_batches(model: keras.Model, batches: Iterable[Any]) -> Iterator[Any]:
    """Yield the output of a Keras model in inference mode for each batch.

    A smaller last batch is padded to the size of the others, because TensorFlow and JAX trace and compile every new
    shape separately, which takes longer than the additional images.

    Args:
        model: A Keras model with one input.
        batches: Arrays or tensors of shape (n, ...), the first one the largest.

    Yields:
        One array (n, ...) per batch; for a model with several outputs its structure of such arrays.
    """
    backend = keras.backend.backend()
    if not model.compiled and getattr(model, "predict_function", None) is None and backend != "jax":
        # By default Keras compiles with XLA, which with TensorFlow is up to 14 times slower on a processor. JAX would
        # run each operation separately without it.
        model.jit_compile = False
    hide_retracing_advice()
    foreign = backend != "tensorflow"
    full = 0
    for batch in batches:
        count = len(batch)
        full = max(full, count)
        if foreign or count < full:
            # The pipeline yields tensors of TensorFlow on every backend.
            batch = np.asarray(batch)
        if count < full:
            batch = np.concatenate([batch, np.repeat(batch[-1:], full - count, axis=0)])
        with _ONE_AT_A_TIME if foreign else nullcontext():
            output = model.predict_on_batch(batch)
        yield keras.tree.map_structure(lambda part, count=count: np.asarray(part)[:count], output)
