"""Tensors in a `.safetensors` file, which holds numbers and names only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.errors import WeightsError


class SafetensorsFile(Mapping[str, npt.NDArray[Any]]):
    """The tensors of a `.safetensors` file by their names; each is read when it is asked for.

    Values of bfloat16 are returned as float32, without a change of value; others keep their dtype.

    Args:
        path: The file.

    Raises:
        WeightsError: If the file is damaged, or the package safetensors is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            from safetensors import SafetensorError, safe_open
        except ImportError as error:
            raise WeightsError(
                f"{path} needs the package safetensors, which is not installed. Install it with "
                "pip install 'breastcls[hub]'."
            ) from error
        try:
            # Its stubs have no types.
            self._file: Any = cast(Any, safe_open(path, framework="numpy"))
            self._shapes = {name: tuple(self._file.get_slice(name).get_shape()) for name in self._file.keys()}  # noqa: SIM118
            self._kinds = {name: str(self._file.get_slice(name).get_dtype()) for name in self._shapes}
        except (SafetensorError, OSError, ValueError) as error:
            raise WeightsError(f"{path} is not a .safetensors file or is damaged ({error}). Copy it again.") from error

    @override
    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Return a tensor.

        Raises:
            WeightsError: If its numbers are of a type that NumPy does not have, such as the 8 bits of quantised files.
        """
        if name not in self._shapes:
            raise KeyError(name)
        try:
            values = np.asarray(self._file.get_tensor(name))
        except AttributeError as error:
            raise WeightsError(
                f"{self._path}: {name} has the type {self._kinds[name]}, which is not read; expected F32, F16 or BF16. "
                "Use the file that is not quantised."
            ) from error
        return values.astype(np.float32) if self._kinds[name] == "BF16" else values

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    @override
    def __len__(self) -> int:
        return len(self._shapes)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor without reading it."""
        return self._shapes[name]
