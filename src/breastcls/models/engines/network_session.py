"""A session of a network in a file: its input and output, and the batches as the network takes them."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.errors import ModelError
from breastcls.models.engines.engine_packages import find_version
from breastcls.models.engines.network_ports import Port, check_ports
from breastcls.models.engines.session import Session


class NetworkSession(Session):
    """One network in a file. An engine adds `engine`, `_package` and `_compute`.

    Args:
        network: The network, as the package of the engine opened it.
        source: What is opened, for messages.
        inputs: Its inputs.
        outputs: Its outputs.

    Raises:
        ModelError: If the network is not one from images to (n, classes).
    """

    # The package that gives the engine its version, and the type of number that the input takes.
    _package: str
    _dtype: npt.DTypeLike = np.float32

    def __init__(self, network: Any, source: object, inputs: Sequence[Port], outputs: Sequence[Port]) -> None:
        self.version = find_version(self._package)
        self.input_shape, self.output_shape, self._channels_first = check_ports(source, inputs, outputs)
        # Some exporters fix the number of images, also inside the network.
        self._batch_size = inputs[0].shape[0]
        self._source = source
        self._network: Any = network

    @override
    def run(self, batch: npt.ArrayLike) -> npt.NDArray[np.float32]:
        return compute_in_parts(self.to_input(self._as_pixels(batch)), self._batch_size, self._compute)

    @override
    def close(self) -> None:
        self._network = None

    @abc.abstractmethod
    def _compute(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the outputs (b, outputs) for values of the input; b is the fixed number of images, if there is one."""

    def _as_pixels(self, batch: Any) -> npt.NDArray[Any]:
        """Return a batch as an array uint8 or float32 without a copy where that is possible.

        Raises:
            ModelError: If the shape is not the one that the network takes.
        """
        pixels = np.asarray(batch)
        expected = self.input_shape
        if pixels.ndim != len(expected) or any(
            wanted not in (None, found) for wanted, found in zip(expected, pixels.shape, strict=True)
        ):
            raise ModelError(f"The network takes batches of shape {expected}; found {pixels.shape}.")
        if pixels.dtype == np.uint8:
            return np.ascontiguousarray(pixels)
        return np.ascontiguousarray(pixels, dtype=np.float32)

    def to_input(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return images (b, height, width, 3) in the layout and the type of number of the input."""
        if self._channels_first:
            pixels = pixels.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(pixels, self._dtype)

    def _opened(self) -> Any:
        """Return the network.

        Raises:
            ModelError: If the session was closed.
        """
        network = self._network
        if network is None:
            raise ModelError(f"{self._source}: the session was closed. Open it again.")
        return network


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
