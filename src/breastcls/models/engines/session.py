"""The session: one network, opened by one engine, that runs forward only."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator
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
        input_shape: (None, height, width, 3); None for a dimension of any length.
        output_shape: (None, outputs).
    """

    engine: str
    version: str
    precision: str = "float32"
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


def image_shapes(source: object, inputs: list[Shape], outputs: list[Shape]) -> tuple[Shape, Shape, bool]:
    """Return the input and output shape of a network for images, and whether its images have the channels first.

    Args:
        source: What is described, for messages: the path of a file.
        inputs: The shapes of all inputs.
        outputs: The shapes of all outputs.

    Returns:
        (None, height, width, 3), (None, outputs), and True for a network that takes (n, 3, height, width).

    Raises:
        ModelError: If the network does not take RGB images, or its output is not (n, outputs).
    """
    if len(inputs) != 1 or len(inputs[0]) != 4 or 3 not in (inputs[0][1], inputs[0][3]):
        raise ModelError(
            f"{source}: expected a network with one input of shape (n, height, width, 3) or (n, 3, height, width); "
            f"found {_listed(inputs)}."
        )
    if len(outputs) != 1 or len(outputs[0]) != 2 or outputs[0][1] is None:
        raise ModelError(
            f"{source}: expected a network with one output of shape (n, classes); found {_listed(outputs)}."
        )
    channels_first = inputs[0][3] != 3
    sides = inputs[0][2:] if channels_first else inputs[0][1:3]
    return (None, *sides, 3), (None, outputs[0][1]), channels_first


def _listed(shapes: list[Shape]) -> str:
    return ", ".join(map(str, shapes)) or "none"
