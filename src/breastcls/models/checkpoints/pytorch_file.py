"""Tensors in a file of PyTorch (`.pth`, `.pt`, `.bin`), read without PyTorch and without running code.

Such a file contains raw arrays and a pickle that describes them, in a zip archive or one after the other.
"""

from __future__ import annotations

import io
import pickle
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.errors import WeightsError
from breastcls.models.checkpoints.legacy_arrays import LEGACY, LegacyArrays, read_legacy
from breastcls.models.checkpoints.tensor_pickle import BFLOAT16, Tensor, load_pickle
from breastcls.size_limits import MIB, SizeError, check_archive, check_member

Array = npt.NDArray[Any]

_LARGEST_PICKLE = 16 * MIB
# Keys under which training programs keep the weights beside an optimizer and counters.
_NESTED = ("state_dict", "model", "model_state_dict", "teacher", "student", "weights")


class _ZipArrays:
    """The raw arrays in a zip archive."""

    def __init__(self, path: Path, folder: str, members: Mapping[str, zipfile.ZipInfo]) -> None:
        self._path, self._folder, self._members = path, folder, members

    def size(self, key: str) -> int | None:
        """Return the number of bytes of an array, or None if there is no such array."""
        member = self._members.get(f"{self._folder}data/{key}")
        return None if member is None else member.file_size

    def read(self, key: str) -> bytes:
        """Return the bytes of an array."""
        with zipfile.ZipFile(self._path) as archive:
            return archive.read(f"{self._folder}data/{key}")


class PyTorchFile(Mapping[str, Array]):
    """The tensors of a `.pth`, `.pt` or `.bin` file by their names; each is read when it is asked for.

    Values of bfloat16 are returned as float32, without a change of value; others keep their dtype.

    Args:
        path: A file of `torch.save`, a zip archive or of the format before PyTorch 1.6, with a dictionary of tensors or
            one that has such a dictionary under `state_dict`, `model`, `model_state_dict`, `teacher`, `student` or
            `weights`.

    Raises:
        WeightsError: If the file is damaged, or contains anything that does not describe a tensor.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as stream:
                is_legacy = stream.read(len(LEGACY)) == LEGACY
            self._arrays: LegacyArrays | _ZipArrays
            if is_legacy:
                found, self._arrays = read_legacy(path, load_pickle, _LARGEST_PICKLE)
            else:
                found, self._arrays = self._open_archive()
            self._tensors = _find_tensors(found)
            for tensor in self._tensors.values():
                self._check(tensor)
        except WeightsError:
            raise
        except SizeError as error:
            self._refuse(str(error))
        # An unpickler raises nearly any error for damaged data.
        except (
            pickle.UnpicklingError,
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            ValueError,
            TypeError,
            KeyError,
        ) as error:
            self._refuse(str(error) or type(error).__name__)
        except (AttributeError, IndexError, EOFError, MemoryError, RecursionError, NotImplementedError) as error:
            self._refuse(f"its description of the tensors is damaged ({type(error).__name__})")

    def _open_archive(self) -> tuple[Any, _ZipArrays]:
        with zipfile.ZipFile(self._path) as archive:
            check_archive(archive)
            members = _index_members(archive)
            folder = _folder_of(members)
            name = f"{folder}data.pkl"
            check_member(archive, name, _LARGEST_PICKLE)
            content = archive.read(name)
            order = f"{folder}byteorder"
            if order in members and archive.read(order) != b"little":
                self._refuse("its numbers are not little-endian")
        return load_pickle(io.BytesIO(content))[0], _ZipArrays(self._path, folder, members)

    @override
    def __getitem__(self, name: str) -> Array:
        tensor = self._tensors[name]
        kind = tensor.storage.kind
        dtype = np.dtype("<u2" if kind == BFLOAT16 else f"<{kind}" if kind != "?" else "?")
        flat = np.frombuffer(self._arrays.read(tensor.storage.key), dtype, tensor.storage.count)
        strides = tuple(stride * dtype.itemsize for stride in tensor.strides)
        view = np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, strides, writeable=False)
        values = np.ascontiguousarray(view)
        if kind == BFLOAT16:
            return (values.astype(np.uint32) << 16).view(np.float32)
        return values

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    @override
    def __len__(self) -> int:
        return len(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor without reading it."""
        return self._tensors[name].shape

    def _check(self, tensor: Tensor) -> None:
        """Check that a tensor is a part of its storage, and not larger than it."""
        storage = tensor.storage
        stored = self._arrays.size(storage.key)
        if stored is None or stored < storage.count * storage.element_bytes:
            raise pickle.UnpicklingError(f"the array {storage.key!r:.80} is missing or too short")
        # Repeated elements (a stride of 0) would let a small file become an array of any size.
        count = int(np.prod(tensor.shape, dtype=object)) if tensor.shape else 1
        last = tensor.offset + sum(
            (length - 1) * stride for length, stride in zip(tensor.shape, tensor.strides, strict=True)
        )
        if count > storage.count or (count and last >= storage.count):
            raise pickle.UnpicklingError(f"a tensor of shape {tensor.shape} exceeds its array of {storage.count}")

    def _refuse(self, reason: str) -> NoReturn:
        raise WeightsError(
            f"{self._path} is not read: {reason.rstrip('.')}. Expected a file of torch.save(model.state_dict(), path), "
            "from which breastcls reads the tensors and nothing else."
        ) from None


def _index_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members = {member.filename: member for member in archive.infolist()}
    if len(members) < len(archive.infolist()):
        raise zipfile.BadZipFile("it contains two parts of the same name")
    return members


def _folder_of(members: Mapping[str, Any]) -> str:
    """Return the folder of `data.pkl` in the archive, with its slash."""
    names = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(names) != 1:
        raise zipfile.BadZipFile("it is a zip archive without the description of tensors (data.pkl) of PyTorch")
    return names[0].removesuffix("data.pkl")


def _find_tensors(found: Any) -> dict[str, Tensor]:
    """Return the dictionary of tensors, which may be one entry of a dictionary."""
    if isinstance(found, dict) and not any(isinstance(value, Tensor) for value in found.values()):
        inner = [found[key] for key in _NESTED if isinstance(found.get(key), dict)]
        if len(inner) != 1:
            keys = ", ".join(map(repr, list(found)[:8])) or "nothing"
            raise pickle.UnpicklingError(
                f"it has no tensors at its top level but {keys:.200}, of which {len(inner)} are known to hold the "
                "weights. Write the weights alone"
            )
        found = inner[0]
    if not isinstance(found, dict) or not found:
        raise pickle.UnpicklingError(f"it contains {type(found).__name__}, not a dictionary of tensors")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise pickle.UnpicklingError(f"its entry {name!r:.80} is not a tensor")
    return dict(found)
