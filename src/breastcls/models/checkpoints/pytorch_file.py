"""Tensors in a file of PyTorch (`.pth`, `.pt`, `.bin`), read without PyTorch and without running code.

Such a file has raw arrays and a pickle that describes them, in a zip archive or one behind the other. A pickle can call
any function; this reader allows those that describe tensors, and replaces each of them by its own.
"""

from __future__ import annotations

import io
import pickle
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.errors import WeightsError
from breastcls.models.checkpoints.legacy_arrays import LEGACY, LegacyArrays, read_legacy
from breastcls.size_limits import MIB, SizeError, check_archive, check_member

Array = npt.NDArray[Any]

_LARGEST_PICKLE = 16 * MIB
_MOST_DIMENSIONS = 8
# NumPy has no bfloat16: its 16 bits are the upper half of a float32.
_BFLOAT16 = "bfloat16"
_STORAGES: Mapping[str, str] = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
# Keys under which training programs keep the weights beside an optimizer and counters.
_NESTED = ("state_dict", "model", "model_state_dict", "teacher", "student", "weights")


class _Described:
    """What a pickle describes; the pickle cannot change it afterwards, when its values have been checked."""

    def __setstate__(self, state: Any) -> NoReturn:
        raise pickle.UnpicklingError("it changes the description of a tensor")


@dataclass(frozen=True)
class _Storage(_Described):
    """One raw array of the archive."""

    kind: str
    key: str
    count: int

    @property
    def element_bytes(self) -> int:
        """Bytes of one element."""
        return 2 if self.kind == _BFLOAT16 else np.dtype(self.kind).itemsize


@dataclass(frozen=True)
class _Tensor(_Described):
    """A view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Entries(OrderedDict[Any, Any]):
    """An ordered dictionary whose attributes, such as the `_metadata` of PyTorch, are not set."""

    def __setstate__(self, state: Any) -> None:
        """Ignore the attributes."""


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    numbers = (offset, *_integers(shape), *_integers(strides))
    if not isinstance(storage, _Storage) or not _integers((offset,)) or any(number < 0 for number in numbers):
        raise pickle.UnpicklingError("a tensor is described wrongly")
    if len(shape) != len(strides) or len(shape) > _MOST_DIMENSIONS:
        raise pickle.UnpicklingError(f"a tensor has {len(shape)} dimensions and {len(strides)} strides")
    return _Tensor(storage, int(offset), tuple(shape), tuple(strides))


def _integers(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple) or not all(type(value) is int for value in values):
        raise pickle.UnpicklingError(f"a tensor has {values!r:.80} where integers are expected")
    return values


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _Entries,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): name for name in _STORAGES},
}


class _RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that knows only what describes tensors."""

    @override
    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for an allowed function, and refuse every other."""
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name!s:.80}, which does not describe a tensor")
        return _ALLOWED[module, name]

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.element_bytes: dict[str, int] = {}

    @override
    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage that a reference names."""
        # Before PyTorch 1.6 a sixth part described views of a storage, which `state_dict` does not have.
        described = isinstance(pid, tuple) and (len(pid) == 5 or (len(pid) == 6 and pid[5] is None))
        if not (described and pid[0] == "storage"):
            raise pickle.UnpicklingError(f"it refers to {pid!r:.80}, which is not a storage")
        _, kind, key, _, count = pid[:5]
        if kind not in _STORAGES or not isinstance(key, str) or type(count) is not int or count < 0:
            raise pickle.UnpicklingError(f"it refers to the storage {pid!r:.80}, which is described wrongly")
        storage = _Storage(_STORAGES[kind], key, count)
        if self.element_bytes.setdefault(key, storage.element_bytes) != storage.element_bytes:
            raise pickle.UnpicklingError(f"it describes the array {key!r:.80} twice and differently")
        return storage


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


def _load(stream: io.BytesIO) -> tuple[Any, Mapping[str, int]]:
    unpickler = _RestrictedUnpickler(stream)
    return unpickler.load(), unpickler.element_bytes


class PyTorchFile(Mapping[str, Array]):
    """The tensors of a `.pth`, `.pt` or `.bin` file by their names; each is read when it is asked for.

    Values of bfloat16 are returned as float32, of which they are a part; others keep their type.

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
                legacy = stream.read(len(LEGACY)) == LEGACY
            self._arrays: LegacyArrays | _ZipArrays
            if legacy:
                found, self._arrays = read_legacy(path, _load, _LARGEST_PICKLE)
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
        return _load(io.BytesIO(content))[0], _ZipArrays(self._path, folder, members)

    @override
    def __getitem__(self, name: str) -> Array:
        tensor = self._tensors[name]
        kind = tensor.storage.kind
        dtype = np.dtype("<u2" if kind == _BFLOAT16 else f"<{kind}" if kind != "?" else "?")
        flat = np.frombuffer(self._arrays.read(tensor.storage.key), dtype, tensor.storage.count)
        strides = tuple(stride * dtype.itemsize for stride in tensor.strides)
        view = np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, strides, writeable=False)
        values = np.ascontiguousarray(view)
        if kind == _BFLOAT16:
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

    def _check(self, tensor: _Tensor) -> None:
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
            "of which breastcls reads the tensors and nothing else."
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


def _find_tensors(found: Any) -> dict[str, _Tensor]:
    """Return the dictionary of tensors, which may be one entry of a dictionary."""
    if isinstance(found, dict) and not any(isinstance(value, _Tensor) for value in found.values()):
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
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise pickle.UnpicklingError(f"its entry {name!r:.80} is not a tensor")
    return dict(found)
