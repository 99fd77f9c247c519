"""The session: one network, opened by one engine, that runs forward only."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

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
