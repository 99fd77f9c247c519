"""The session: one network, opened by one engine, that runs forward only."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from breastcls.errors import ModelError

Shape = tuple[int | None, ...]
"""A shape; None for a dimension of any length."""


class BatchRunner(Protocol):
    """An object other than a Keras model that `run_batches` of `breastcls.models.inference` accepts."""

    def run_batches(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield the output for each batch, in order."""


class Session(abc.ABC):
    """One network, opened by one engine. It runs forward only, and several threads may use it at once.

    Attributes:
        engine: `"keras"`, `"openvino"`, `"onnxruntime"` or the name of another engine.
        version: The version of the engine.
        precision: The precision of the computation: `"float32"`, `"int8"` and so on.
        note: Why another engine than the one that was asked for runs; "" if it is that one.
        input_shape: (None, height, width, 3); None for a dimension of any length.
        output_shape: (None, outputs).
    """

    engine: str
    version: str
    precision: str = "float32"
    note: str = ""
    input_shape: Shape
    output_shape: Shape

    @abc.abstractmethod
    def run(self, batch: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Compute the output for one batch.

        Args:
            batch: Images, RGB 0..255, uint8 or float32 (b, height, width, 3). Any b is possible.

        Returns:
            float32 (b, outputs).
        """

    def run_batches(self, batches: Iterable[Any]) -> Iterator[npt.NDArray[Any]]:
        """Yield the output for each batch, in order. An engine may work on several batches at once.

        Args:
            batches: Arrays or tensors (b, height, width, 3), uint8 or float32.
        """
        for batch in batches:
            yield self.run(batch)

    def close(self) -> None:  # noqa: B027 - most engines free their memory with the object.
        """Free the memory of the network; the session cannot be used afterwards."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {self.engine} {self.version}, {self.precision}, "
            f"{self.input_shape} to {self.output_shape}>"
        )


def as_pixels(batch: Any, session: Session) -> npt.NDArray[Any]:
    """Return a batch as an array uint8 or float32 without a copy where that is possible.

    Raises:
        ModelError: If the shape is not the one that the network takes.
    """
    pixels = np.asarray(batch)
    expected = session.input_shape
    if pixels.ndim != len(expected) or any(
        wanted not in (None, found) for wanted, found in zip(expected, pixels.shape, strict=True)
    ):
        raise ModelError(f"The network takes batches of shape {expected}; found {pixels.shape}.")
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    return np.ascontiguousarray(pixels, dtype=np.float32)


def compute_in_parts(
    pixels: npt.NDArray[Any], size: int | None, compute: Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]
) -> npt.NDArray[np.float32]:
    """Return the outputs of a network that takes a fixed number of images, for any number of them.

    Args:
        pixels: (b, ...).
        size: The number of images that the network takes, or None for any number.
        compute: Returns the outputs (size, k) of `size` images.
    """
    if size is None:
        return compute(pixels)
    padded = np.concatenate([pixels, np.repeat(pixels[-1:], -len(pixels) % size, axis=0)])
    parts = [compute(padded[start : start + size]) for start in range(0, len(padded), size)]
    return np.concatenate(parts)[: len(pixels)]
