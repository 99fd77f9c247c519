"""Inference over batches with one compiled step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.errors import EvaluationError
from breastcls.models.engines.keras_session import run_keras_batches
from breastcls.models.engines.session import BatchRunner


def run_batches(model: keras.Model | BatchRunner, batches: Iterable[Any]) -> Iterator[Any]:
    """Yield the output of a model in inference mode for each batch.

    Args:
        model: A Keras model with one input, or a session of another engine; see `run_keras_batches`.
        batches: Arrays or tensors of shape (n, ...), the first one the largest.

    Yields:
        One array (n, ...) per batch; for a Keras model with several outputs its structure of such arrays.
    """
    return run_keras_batches(model, batches) if isinstance(model, keras.Model) else model.run_batches(batches)


def run_passes(model: keras.Model | BatchRunner, batches: Iterable[Any], passes: int = 1) -> list[npt.NDArray[Any]]:
    """Return the outputs of a model for images that are given in several versions.

    Args:
        model: A Keras model with one input and one output (n, classes), or a session of another engine.
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
