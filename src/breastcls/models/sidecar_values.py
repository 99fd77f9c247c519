"""Values of the sidecar of an exported model: the resize rule in words, and the checks on reading."""

from __future__ import annotations

import os
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from breastcls._version import __version__
from breastcls.argument_checks import is_count
from breastcls.errors import ModelError

FORMATS = ("saved_model", "onnx", "openvino", "litert")
"""Formats of exported models."""

_TYPES: dict[str, type | tuple[type, ...]] = {
    "format": str,
    "model_file": str,
    "files": dict,
    "card": dict,
    "opset": (int, type(None)),
    "parity": (dict, type(None)),
    "quantization": (dict, type(None)),
}


def describe_resize(resize: str | None, image_size: tuple[int, int]) -> dict[str, Any]:
    """Return the step that resizes an image before the model, as in `breastcls.images.resize_image`.

    Args:
        resize: "stretch", "crop" or "pad"; None for a model that was never trained, whose images are stretched.
        image_size: (height, width) of the result.
    """
    mode = "stretch" if resize is None else resize
    arguments: dict[str, Any] = {
        "size": list(image_size),
        "mode": mode,
        # What cv2.resize does with these flags; a side that grows is scaled after the side that shrinks.
        "downscale": "area (cv2.INTER_AREA)",
        "upscale": "bilinear (cv2.INTER_LINEAR)",
    }
    if mode == "pad":
        arguments["fill"] = [255, 255, 255]
    return {"name": "Resize", "arguments": arguments}


def check_sidecar_values(values: Any, file: str | os.PathLike[str], newest: int) -> None:
    """Check the JSON values of a sidecar.

    Args:
        values: The values.
        file: The file that they come from, for messages.
        newest: The newest schema version that can be read.

    Raises:
        ModelError: If they are no sidecar, or of a newer version.
    """
    again = "Expected a file that `breastcls.export.export_model` wrote. Export the model again."
    if not isinstance(values, dict) or "schema" not in values:
        raise ModelError(f"{file} is not the sidecar of an exported model. {again}")
    schema = values["schema"]
    if not is_count(schema):
        raise ModelError(f"{file} has the schema version {schema!r}; expected a whole number of at least 1. {again}")
    if schema > newest:
        raise ModelError(
            f"{file} has schema version {schema} and was written by {values.get('written_by')}; breastcls "
            f"{__version__} reads versions up to {newest}. Upgrade breastcls: `pip install --upgrade breastcls`."
        )
    for name, types in _TYPES.items():
        if not isinstance(values.get(name), types):
            raise ModelError(f"{file}: {name} is {values.get(name)!r:.80}. {again}")
    if values["format"] not in FORMATS:
        raise ModelError(f"{file}: format is {values['format']!r}; expected one of {', '.join(FORMATS)}.")
    for name, digest in values["files"].items():
        parts = PureWindowsPath(name)
        if parts.is_absolute() or parts.drive or ".." in parts.parts or PurePosixPath(name).is_absolute():
            raise ModelError(f"{file} names {name!r}, a path outside of its folder. Do not use this model.")
        if not isinstance(digest, str):
            raise ModelError(f"{file}: the SHA-256 of {name} is {digest!r:.80}. {again}")
