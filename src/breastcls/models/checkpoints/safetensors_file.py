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
            self._halves = {name for name in self._shapes if self._file.get_slice(name).get_dtype() == "BF16"}
        except (SafetensorError, OSError, ValueError) as error:
            raise WeightsError(f"{path} is not a .safetensors file or is damaged ({error}). Copy it again.") from error

    @override
    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        if name not in self._shapes:
            raise KeyError(name)
        values = self._file.get_tensor(name)
        if name in self._halves:
            return np.asarray(values).astype(np.float32)
        return np.asarray(values)

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    @override
    def __len__(self) -> int:
        return len(self._shapes)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor without reading it."""
        return self._shapes[name]
