import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from breastcls.errors import WeightsError
from breastcls.models.checkpoints.pytorch_file import PyTorchFile


class Global:
    """Pickles as a reference to a function or class that need not exist here."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Storage:
    def __init__(self, kind, key, count):
        self.pid = ("storage", Global("torch", kind), key, "cpu", count)


class Call:
    """Pickles as the call of a global, as PyTorch describes tensors."""

    def __init__(self, function, *arguments, state=None):
        self.function, self.arguments, self.state = function, arguments, state


class Writer(pickle._Pickler):
    """Writes what `torch.save` writes, and what it never does."""

    def persistent_id(self, value):
        return value.pid if isinstance(value, Storage) else None

    def save(self, value, save_persistent_id=True):
        if isinstance(value, Global):
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        elif isinstance(value, Call):
            self.save(value.function)
            self.save(tuple(value.arguments))
            self.write(pickle.REDUCE)
            if value.state is not None:
                self.save(value.state)
                self.write(pickle.BUILD)
        else:
            super().save(value, save_persistent_id)


REBUILD = Global("torch._utils", "_rebuild_tensor_v2")


def tensor(key="0", count=6, shape=(2, 3), strides=(3, 1), offset=0, kind="FloatStorage"):
    return Call(REBUILD, Storage(kind, key, count), offset, shape, strides, False, OrderedDict())


def write(path, described, arrays, **more):
    stream = io.BytesIO()
    Writer(stream, protocol=2).dump(described)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", stream.getvalue())
        for key, values in arrays.items():
            archive.writestr(f"archive/data/{key}", values)
        for name, content in more.items():
            archive.writestr(f"archive/{name}", content)
    return path


SIX = np.arange(6, dtype="<f4").tobytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pth"


DATA = Path(__file__).parents[2] / "support" / "data"


@pytest.mark.parametrize("name", ["pytorch_tensors.pth", "pytorch_tensors_legacy.pth"])
def test_a_file_of_pytorch_itself(name):
    """Made by PyTorch 2; see tests/support/make_pytorch_file.py."""
    file = PyTorchFile(DATA / name)
    plain = np.arange(12, dtype=np.float32).reshape(3, 4)
    expected = {
        "plain": plain,
        "transposed": plain.T,
        "part": plain[1:, ::2],
        "scalar": np.float32(7),
        "half": plain.astype(np.float16),
        "bfloat16": np.array([1.0, -2.5, 0.15625], np.float32),
        "integers": np.arange(5),
        "flags": np.array([True, False]),
        "parameter": plain,
        "empty": np.zeros((0, 3), np.float32),
    }
    assert list(file) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(file[name], values)
        assert file[name].dtype == np.asarray(values).dtype
        assert file.shape(name) == np.shape(values)
    nested = PyTorchFile(DATA / "pytorch_training_state.pth")
    np.testing.assert_array_equal(nested["weight"], plain)


def test_a_file_written_by_hand_is_read(path):
    file = PyTorchFile(write(path, OrderedDict(w=tensor()), {"0": SIX}, byteorder=b"little"))
    np.testing.assert_array_equal(file["w"], np.arange(6).reshape(2, 3))


MARK = "must not exist"


@pytest.mark.parametrize(
    ("described", "arrays", "message"),
    [
        ({"w": Call(Global("os", "system"), f"touch '{MARK}'")}, {}, r"os\.system"),
        ({"w": Call(Global("builtins", "eval"), f"open('{MARK}', 'w')")}, {}, r"builtins\.eval"),
        ({"w": Call(Global("builtins", "getattr"), tensor(), "shape")}, {"0": SIX}, r"builtins\.getattr"),
        ({"w": Call(Global("torch", "load"), "other.pth")}, {}, r"torch\.load"),
        ({"w": Call(Global("torch._utils", "_rebuild_tensor_v3"))}, {}, "_rebuild_tensor_v3"),
        ({"w": Call(Global("torch", "FloatStorage"), 3)}, {}, "not callable"),
        ({"w": Call(Global("collections", "OrderedDict.fromkeys"), "ab")}, {}, "fromkeys"),
        ({"w": tensor(shape=(10**6, 10**6), strides=(0, 0))}, {"0": SIX}, "exceeds its array"),
        ({"w": tensor(offset=4)}, {"0": SIX}, "exceeds its array"),
        ({"w": tensor(offset=-1)}, {"0": SIX}, "is wrong"),
        ({"w": tensor(strides=(3, -1))}, {"0": SIX}, "is wrong"),
        ({"w": tensor(shape=(2.0, 3))}, {"0": SIX}, "integers are expected"),
        ({"w": tensor(shape=[2, 3])}, {"0": SIX}, "integers are expected"),
        ({"w": tensor(shape=(2, 3, 1))}, {"0": SIX}, "3 dimensions and 2 strides"),
        ({"w": tensor(count=10**12)}, {"0": SIX}, "too short"),
        ({"w": tensor(key="../../0")}, {"0": SIX}, "missing or too short"),
        ({"w": Call(REBUILD, "storage", 0, (1,), (1,))}, {}, "is wrong"),
        ({"w": Call(REBUILD, *tensor().arguments, state={"shape": (9, 9), "offset": -99})}, {"0": SIX}, "changes"),
        ({"w": tensor(kind="ComplexFloatStorage")}, {"0": SIX}, "ComplexFloatStorage"),
        ({"epoch": 3, "optimizer": {}}, {}, "no tensors at its top level but 'epoch', 'optimizer'"),
        ({"w": tensor(), "epoch": 3}, {"0": SIX}, "'epoch' is not a tensor"),
        ([tensor()], {"0": SIX}, "list"),
        ({}, {}, "0 are known"),
    ],
)
def test_what_does_not_describe_tensors_is_refused_and_never_called(path, described, arrays, message, monkeypatch):
    monkeypatch.chdir(path.parent)
    write(path, described, arrays)
    with pytest.raises(WeightsError, match=message) as caught:
        PyTorchFile(path)
    assert str(path) in str(caught.value)
    assert not os.path.exists(MARK)


def test_older_and_damaged_files_are_named(path):
    path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + b"rest")
    with pytest.raises(WeightsError, match="truncated"):
        PyTorchFile(path)
    path.write_bytes(b"no zip archive")
    with pytest.raises(WeightsError, match="not a zip file"):
        PyTorchFile(path)
    whole = write(path, {"w": tensor()}, {"0": SIX}).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="not a zip file"):
        PyTorchFile(path)
    write(path, {"w": tensor()}, {"0": SIX}, byteorder=b"big")
    with pytest.raises(WeightsError, match="little-endian"):
        PyTorchFile(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"")
        archive.writestr("b/data.pkl", b"")
    with pytest.raises(WeightsError, match=r"data\.pkl"):
        PyTorchFile(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00X\xff\xff\xff\x7fw")
    with pytest.raises(WeightsError, match="is not read"):
        PyTorchFile(path)


def test_archives_that_unpack_to_far_more_than_they_store_are_refused(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}." + bytes(17 * 2**20))
    with pytest.raises(WeightsError, match="17 MiB; expected 16"):
        PyTorchFile(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
        archive.writestr("archive/data/0", bytes(80 * 2**20))
    with pytest.raises(WeightsError, match="200 times"):
        PyTorchFile(path)
