"""The pickle in a file of PyTorch that describes its tensors, read without PyTorch and without running code.

A pickle can call any function. This reader allows those that describe tensors, and replaces each of them by its own.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from typing_extensions import override

BFLOAT16 = "bfloat16"
"""The kind of a storage of bfloat16, which NumPy does not have: its 16 bits are the upper half of a float32."""

_MOST_DIMENSIONS = 8
_STORAGES: Mapping[str, str] = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class _Described:
    """What a pickle describes; the pickle cannot change it afterwards, when its values have been checked."""

    def __setstate__(self, state: Any) -> NoReturn:
        raise pickle.UnpicklingError("it changes the description of a tensor")


@dataclass(frozen=True)
class Storage(_Described):
    """One raw array of the file.

    Attributes:
        kind: A dtype of NumPy without byte order, or `BFLOAT16`.
        key: The name of the array in the file.
        count: Number of elements.
    """

    kind: str
    key: str
    count: int

    @property
    def element_bytes(self) -> int:
        """Bytes of one element."""
        return 2 if self.kind == BFLOAT16 else np.dtype(self.kind).itemsize


@dataclass(frozen=True)
class Tensor(_Described):
    """A view of a storage; offset and strides are in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def load_pickle(stream: io.BytesIO) -> tuple[Any, Mapping[str, int]]:
    """Read one pickle from a stream.

    Returns:
        The object, with a `Tensor` for each tensor, and for each array that it refers to the bytes of an element.

    Raises:
        pickle.UnpicklingError: If it contains anything that does not describe a tensor. For a damaged pickle the
            unpickler raises nearly any exception.
    """
    unpickler = _RestrictedUnpickler(stream)
    return unpickler.load(), unpickler.element_bytes


class _Entries(OrderedDict[Any, Any]):
    """An ordered dictionary whose attributes, such as the `_metadata` of PyTorch, are not set."""

    def __setstate__(self, state: Any) -> None:
        """Ignore the attributes."""


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    numbers = (*_integers((offset,)), *_integers(shape), *_integers(strides))
    if not isinstance(storage, Storage) or any(number < 0 for number in numbers):
        raise pickle.UnpicklingError("the description of a tensor is wrong")
    if len(shape) != len(strides) or len(shape) > _MOST_DIMENSIONS:
        raise pickle.UnpicklingError(f"a tensor has {len(shape)} dimensions and {len(strides)} strides")
    return Tensor(storage, offset, shape, strides)


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
    """An unpickler that accepts descriptions of tensors only."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.element_bytes: dict[str, int] = {}

    @override
    def find_class(self, module: str, name: str) -> Any:
        """Return the replacement of an allowed function; refuse all others."""
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it refers to {module}.{name!s:.80}, which does not describe a tensor")
        return _ALLOWED[module, name]

    @override
    def persistent_load(self, pid: Any) -> Storage:
        """Return the storage that a reference names."""
        # Before PyTorch 1.6 a sixth part described views of a storage, which `state_dict` does not have.
        described = isinstance(pid, tuple) and (len(pid) == 5 or (len(pid) == 6 and pid[5] is None))
        if not (described and pid[0] == "storage"):
            raise pickle.UnpicklingError(f"it refers to {pid!r:.80}, which is not a storage")
        _, kind, key, _, count = pid[:5]
        if kind not in _STORAGES or not isinstance(key, str) or type(count) is not int or count < 0:
            raise pickle.UnpicklingError(f"its description of the storage {pid!r:.80} is wrong")
        storage = Storage(_STORAGES[kind], key, count)
        if self.element_bytes.setdefault(key, storage.element_bytes) != storage.element_bytes:
            raise pickle.UnpicklingError(f"it describes the array {key!r:.80} twice and differently")
        return storage
