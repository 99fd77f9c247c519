"""Files of tensors by their names, whatever framework wrote them: `.safetensors`, and `.pth`, `.pt`, `.bin`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.errors import WeightsError
from breastcls.models.checkpoints.pytorch_file import PyTorchFile
from breastcls.models.checkpoints.safetensors_file import SafetensorsFile
from breastcls.size_limits import read_json

TENSOR_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")
"""Endings of the names of files of tensors."""

INDEX_SUFFIX = ".index.json"
"""Ending of the name of the file that lists the parts of a large file."""

# In the order of preference: repositories hold the same weights in both forms.
_IN_FOLDERS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")


def open_tensors(path: Path) -> TensorFile:
    """Return the tensors of a file, or of the file in a folder as Hugging Face lays it out, each read when asked for.

    Args:
        path: A `.safetensors`, `.pth`, `.pt` or `.bin` file; or a folder with `model.safetensors` or
            `pytorch_model.bin`, in one part or several, or with exactly one such file of another name.

    Raises:
        WeightsError: If there is no such file, or it is damaged, unsafe, or of another kind.
    """
    if path.is_dir():
        path = find_tensor_file(path)
    if not path.is_file():
        raise WeightsError(f"weights={str(path)!r}: expected a weight file; found nothing.")
    if path.name.endswith(INDEX_SUFFIX):
        return TensorFile(path, _read_parts(path))
    return TensorFile(path, [_open(path)])


class TensorFile(Mapping[str, npt.NDArray[Any]]):
    """The tensors of one file, or of the parts of one, by their names.

    Attributes:
        path: The file; for several parts, their index.

    Raises:
        WeightsError: If two parts have a tensor of the same name.
    """

    def __init__(self, path: Path, parts: list[PyTorchFile | SafetensorsFile]) -> None:
        self.path = path
        self._part_of: dict[str, PyTorchFile | SafetensorsFile] = {}
        for part in parts:
            for name in part:
                if name in self._part_of:
                    raise WeightsError(f"{path} names two parts with the tensor {name}. Copy the parts of one file.")
                self._part_of[name] = part

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor without reading it."""
        return self._part_of[name].shape(name)

    @override
    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Return a tensor; bfloat16 becomes float32."""
        return self._part_of[name][name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._part_of)

    @override
    def __len__(self) -> int:
        return len(self._part_of)

    def read_float32(self, name: str) -> npt.NDArray[np.float32]:
        """Return a tensor of numbers as float32.

        Raises:
            WeightsError: If it has other numbers than floating-point ones, or any that is not finite.
        """
        values = self[name]
        if values.dtype.kind != "f":
            raise WeightsError(f"{self.path}: {name} has the type {values.dtype}; expected floating-point numbers.")
        values = values.astype(np.float32, copy=False)
        if not np.isfinite(values).all():
            raise WeightsError(f"{self.path}: {name} contains NaN or infinite numbers. Copy or download it again.")
        return values


def _open(path: Path) -> PyTorchFile | SafetensorsFile:
    suffix = path.suffix.lower()
    if suffix not in TENSOR_SUFFIXES:
        raise WeightsError(f"{path}: expected a file whose name ends in {', '.join(TENSOR_SUFFIXES)}.")
    return SafetensorsFile(path) if suffix == ".safetensors" else PyTorchFile(path)


def find_tensor_file(folder: Path) -> Path:
    """Return the file of tensors in a folder, or the index of its parts.

    Raises:
        WeightsError: If there is none, or several that could be meant.
    """
    for name in _IN_FOLDERS:
        if (folder / name).is_file():
            return folder / name
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in TENSOR_SUFFIXES and path.is_file())
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise WeightsError(
            f"weights={str(folder)!r}: expected model.safetensors or pytorch_model.bin in this folder, or one file "
            f"whose name ends in {', '.join(TENSOR_SUFFIXES)}; found {names}. Pass the path of the file."
        )
    return found[0]


def _read_parts(index: Path) -> list[PyTorchFile | SafetensorsFile]:
    try:
        found = read_json(index)
        names = sorted(set(found["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{index} is not an index of the parts of a weight file ({error}).") from error
    for name in names:
        if not isinstance(name, str) or PurePath(name).name != name or "\\" in name:
            raise WeightsError(f"{index} names the part {name!r}; expected the name of a file in the same folder.")
        if not (index.parent / name).is_file():
            raise WeightsError(f"{index} names the part {name}, which is not in the folder. Copy all parts into it.")
    return [_open(index.parent / name) for name in names]
