"""Inference over batches with one compiled step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.errors import EvaluationError


def run_batches(model: keras.Model, batches: Iterable[Any]) -> Iterator[Any]:
    """Yield the output of a model in inference mode for each batch.

    A smaller last batch is padded to the size of the others, because TensorFlow traces and compiles every new shape
    separately, which takes longer than the additional images.

    Args:
        model: A Keras model with one input.
        batches: Arrays or tensors of shape (n, ...), the first one the largest.

    Yields:
        One array (n, ...) per batch; for a model with several outputs its structure of such arrays.
    """
    if not model.compiled and getattr(model, "predict_function", None) is None:
        # By default Keras compiles with XLA, which is up to 14 times slower on a processor.
        model.jit_compile = False
    full = 0
    for batch in batches:
        count = len(batch)
        full = max(full, count)
        if count < full:
            batch = keras.ops.convert_to_numpy(batch)
            batch = np.concatenate([batch, np.repeat(batch[-1:], full - count, axis=0)])
        output = model.predict_on_batch(batch)
        yield keras.tree.map_structure(lambda part, count=count: np.asarray(part)[:count], output)


def run_passes(model: keras.Model, batches: Iterable[Any], passes: int = 1) -> list[npt.NDArray[Any]]:
    """Return the outputs of a model for images that are given in several versions.

    Args:
        model: A Keras model with one input and one output (n, classes).
        batches: Arrays or tensors of shape (n, ...): all versions of the first images, then all of the next images.
        passes: Number of versions of each image.

    Returns:
        One array (images, classes) per version, in the type that the model computes in.

    Raises:
        EvaluationError: If the model's output has another shape.
    """
    parts: list[list[npt.NDArray[Any]]] = [[] for _ in range(passes)]
    for number, output in enumerate(run_batches(model, batches)):
        parts[number % passes].append(check_output(output))
    return [np.concatenate(one) for one in parts]


def check_output(output: Any) -> npt.NDArray[Any]:
    """Return the output of a model if it is one array (n, classes).

    Raises:
        EvaluationError: If it is something else.
    """
    if not hasattr(output, "shape") or len(output.shape) != 2:
        found = getattr(output, "shape", type(output).__name__)
        raise EvaluationError(f"The model must give one output of shape (n, classes); it gave {found}.")
    return np.asarray(output)
