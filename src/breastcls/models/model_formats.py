"""The format of a model file, from its content and not only from its name."""

from __future__ import annotations

import zipfile
from pathlib import Path

from breastcls.errors import ModelError

FORMATS = ("keras", "h5", "onnx", "openvino", "litert", "saved_model")
"""The formats that `load_model` reads."""

_SUFFIXES = {
    ".keras": "keras",
    ".h5": "h5",
    ".hdf5": "h5",
    ".onnx": "onnx",
    ".xml": "openvino",
    ".tflite": "litert",
}
_EXPECTED = "'.keras', '.h5', '.onnx', '.xml' (OpenVINO) or '.tflite' (LiteRT), or the folder of a SavedModel"
_TO_ONNX = (
    "Export it to ONNX where it was made: `torch.onnx.export(network.eval(), torch.zeros(1, 3, height, width), "
    "'model.onnx', input_names=['input'], dynamic_axes={'input': {0: 'batch'}})`; then `load_model('model.onnx', "
    "classes=..., scaling=...)` with the scaling that it was trained with, often 'imagenet'."
)
_PICKLE = "which is a pickle: reading it can run any code, so that breastcls never does."
_REFUSED = {
    ".pt": f"a file of PyTorch, {_PICKLE} {_TO_ONNX}",
    ".pth": f"a file of PyTorch, {_PICKLE} {_TO_ONNX}",
    ".ckpt": f"a checkpoint, {_PICKLE} {_TO_ONNX}",
    ".pkl": f"a Python object, {_PICKLE} Save a Keras model as '.keras'; export another one to ONNX.",
    ".pickle": f"a Python object, {_PICKLE} Save a Keras model as '.keras'; export another one to ONNX.",
    ".joblib": f"a Python object, {_PICKLE} Of a scikit-learn model, pass the probabilities to "
    "`Predictions.from_arrays`.",
    ".safetensors": f"weights without a network. Load them into the network where that is defined. {_TO_ONNX}",
    ".bin": "weights without a network. Of an OpenVINO model pass the '.xml' file beside it; export the network of a "
    "PyTorch model to ONNX.",
    ".pb": "a graph of TensorFlow. Pass the folder of a SavedModel; convert a frozen graph with "
    "`python -m tf2onnx.convert`.",
    ".json": "the architecture of a model without its weights. Save the whole model as '.keras'.",
    ".mlmodel": "a model of Core ML. Export the original to ONNX.",
    ".engine": "a compiled engine of TensorRT, which fits one GPU. Use the ONNX file that it was made from.",
    ".plan": "a compiled engine of TensorRT, which fits one GPU. Use the ONNX file that it was made from.",
}


def find_format(path: Path) -> str:
    """Return the format of a model, one of `FORMATS`.

    Raises:
        ModelError: If there is no such file, its content is of another kind than its name says, or it cannot be loaded;
            the message says what it is and how a model that can be loaded is made of it.
    """
    if path.is_dir():
        return _folder_format(path)
    if not path.exists():
        raise ModelError(f"There is no file {path}; expected a model: {_EXPECTED}.")
    if not path.is_file():
        raise ModelError(f"{path} is a pipe, a device or another special file, not a model. Expected {_EXPECTED}.")
    try:
        with path.open("rb") as stream:
            start = stream.read(4096)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    suffix = path.suffix.lower()
    found = _content_format(path, start)
    named = _SUFFIXES.get(suffix)
    if named is not None and found == named:
        return found
    if not start:
        raise ModelError(f"{path} is empty. Copy or save the model again.")
    if found is not None and found in FORMATS:
        ending = next(ending for ending, name in _SUFFIXES.items() if name == found)
        raise ModelError(
            f"{path} has the content of a '{ending}' file ({found}) under another name. Rename it to "
            f"'{path.with_suffix(ending).name}'."
        )
    if found is not None:
        raise ModelError(f"{path} is {found}")
    if suffix in _REFUSED:
        raise ModelError(f"{path} is {_REFUSED[suffix]}")
    if named is None:
        raise ModelError(f"{path} is no model in a known format. Expected {_EXPECTED}.")
    if named == "onnx":
        # A protobuf has no signature.
        return named
    what = "an OpenVINO model" if named == "openvino" else f"a '{suffix}' file"
    raise ModelError(f"{path} is not {what} or is damaged. Copy or save it again.")


def _content_format(path: Path, start: bytes) -> str | None:
    """Return the format that the content has, a sentence part on what cannot be loaded, or None where it is unknown."""
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return "h5"
    if start[4:8] == b"TFL3":
        return "litert"
    if start.startswith(b"PK\x03\x04"):
        return _archive_format(path)
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS and not the file itself. Run `git lfs pull`, or download the file."
    if text[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "a web page and not a model: the download failed or needs a login. Download the file itself."
    if text.startswith((b"<?xml", b"<net", b"<!")):
        if b"<!DOCTYPE" in start or b"<!ENTITY" in start:
            return "an XML file with a document type or entities, which no OpenVINO model has. Do not use this file."
        if b"<net" in start:
            return "openvino"
        return "an XML file, but no OpenVINO model: it has no element <net>."
    # Protocols 2 to 5 begin with 0x80 and their number; the end of a pickle cannot be seen from its beginning.
    if len(start) > 1 and start[0] == 0x80 and start[1] in (2, 3, 4, 5):
        return _REFUSED[".pt"] if path.suffix.lower() in (".pt", ".pth", ".ckpt") else _REFUSED[".pkl"]
    return None


def _archive_format(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, UnicodeDecodeError, OSError, ValueError):
        return None
    parts = {name.rpartition("/")[2] for name in names}
    if any("/code/" in f"/{name}" for name in names) and "constants.pkl" in parts:
        return f"a TorchScript file of PyTorch, {_PICKLE} {_TO_ONNX}"
    if "data.pkl" in parts:
        return _REFUSED[".pt"]
    if path.suffix.lower() == ".keras" or {"config.json", "metadata.json"} <= set(names):
        return "keras"
    return None


def _folder_format(path: Path) -> str:
    if (path / "saved_model.pb").is_file():
        return "saved_model"
    inside = sorted(item.name for item in path.iterdir() if item.suffix.lower() in _SUFFIXES)
    if (path / "config.json").is_file() and any(path.glob("model.weights.*")):
        raise ModelError(f"{path} is an unpacked '.keras' file. Pass the '.keras' file itself.")
    held = f" It contains {', '.join(inside[:5])}: pass the path of the file." if inside else ""
    raise ModelError(f"{path} is a folder, but no SavedModel: it has no saved_model.pb. Expected {_EXPECTED}.{held}")
