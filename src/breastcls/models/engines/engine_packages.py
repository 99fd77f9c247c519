"""Imports of the packages of engines: a missing one is an error that names the extra, and telemetry is off."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from breastcls.errors import ModelError

_TELEMETRY = "openvino_telemetry"


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry.

    OpenVINO reports imports and conversions to its maker unless the user has a file that declines it; no environment
    variable does. Without the package `openvino_telemetry` it uses a replacement of its own that reports nothing.

    Raises:
        ModelError: If it is not installed.
    """
    if "openvino" in sys.modules and sys.modules.get(_TELEMETRY) is not None:
        _replace_telemetry()
    # An import of a name whose module is None raises ImportError. It stays, because OpenVINO imports some of its
    # modules later.
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError as error:
        raise _missing("openvino", "openvino", error) from error
    return openvino


def import_onnxruntime() -> Any:
    """Import ONNX Runtime without its telemetry, which exists on Windows only.

    Raises:
        ModelError: If it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing("onnxruntime", "onnx", error) from error
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def import_litert() -> Any:
    """Import the interpreter of LiteRT, which sends nothing.

    Raises:
        ModelError: If it is not installed.
    """
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise _missing("ai-edge-litert", "litert", error) from error
    return interpreter


def is_installed(name: str) -> bool:
    """Return whether a package is installed, without importing it."""
    return name in sys.modules or importlib.util.find_spec(name) is not None


def find_version(name: str) -> str:
    """Return the version of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:
        # Variants of ONNX Runtime are packages of other names.
        return str(getattr(sys.modules.get(name), "__version__", "unknown"))


def check_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that exists.

    Raises:
        ModelError: If there is no such file.
    """
    file = Path(path)
    if not file.is_file():
        raise ModelError(f"There is no file {file}.")
    return file


def short_message(error: Exception) -> str:
    """Return the message of an error of a runtime in one line of at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def _missing(package: str, extra: str, error: ImportError) -> ModelError:
    return ModelError(
        f'{package} is not installed or cannot be imported ({error}). Install it with: pip install "breastcls[{extra}]"'
    )


def _replace_telemetry() -> None:
    """Replace the telemetry of an OpenVINO that someone else has imported by its own replacement."""
    from openvino.tools.ovc import telemetry_stub as stub

    for name, module in list(sys.modules.items()):
        if name.startswith("openvino.tools.ovc") and getattr(module, "tm", stub) is not stub:
            module.tm = stub  # type: ignore[attr-defined]
