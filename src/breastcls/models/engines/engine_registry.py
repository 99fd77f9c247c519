"""The registry of engines, and the table that lists them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from breastcls.models.engines import onnx_session, openvino_session
from breastcls.models.engines.engine_packages import find_version, import_onnxruntime, import_openvino, is_installed
from breastcls.models.engines.session import Session
from breastcls.registry import Registry, RegistryTable


@dataclass(frozen=True)
class Engine:
    """An engine other than Keras, which runs networks that Keras exports.

    Attributes:
        name: The name that the argument `engine` accepts.
        packages: The packages that it imports, the one that gives it its version first.
        extra: The extra of breastcls that installs them.
        export_format: The format of `keras.Model.export` that it runs.
        suffix: The suffix of a file in this format.
        open_file: `open_file(path)` returns a `Session`.
        load: Imports its packages with their telemetry switched off; it is called before Keras exports a model.
        summary: One line for the table of engines.
    """

    name: str
    packages: tuple[str, ...]
    extra: str
    export_format: str
    suffix: str
    open_file: Callable[..., Session]
    load: Callable[[], Any]
    summary: str

    @property
    def is_installed(self) -> bool:
        """Whether all its packages are installed."""
        return all(map(is_installed, self.packages))

    @property
    def version(self) -> str:
        """The version of its first package, or "not installed"."""
        return find_version(self.packages[0]) if self.is_installed else "not installed"


ENGINES: Registry[Engine] = Registry("engine")


def register_engine(engine: Engine) -> Engine:
    """Add an engine, so that `predict(..., engine=name)` runs it.

    Args:
        engine: The engine.

    Returns:
        The engine.

    Raises:
        RegistryError: If the name is taken.
    """
    return ENGINES.register(engine.name, engine)


register_engine(
    Engine(
        name="openvino",
        packages=("openvino",),
        extra="openvino",
        export_format="openvino",
        suffix=".xml",
        open_file=openvino_session.open_file,
        load=import_openvino,
        summary="OpenVINO on the processor, float32",
    )
)
register_engine(
    Engine(
        name="onnxruntime",
        packages=("onnxruntime", "onnx", "tf2onnx"),
        extra="onnx",
        export_format="onnx",
        suffix=".onnx",
        open_file=onnx_session.open_file,
        load=import_onnxruntime,
        summary="ONNX Runtime on the processor, float32",
    )
)


class EngineTable(RegistryTable[Engine]):
    """The result of `list_engines`: a table that can be printed, and a sequence of the engines."""

    headers = ("engine", "version", "extra", "summary")

    def cells(self, entry: Engine) -> tuple[str, ...]:
        """Return the cells of an engine in print."""
        return (entry.name, entry.version, entry.extra, entry.summary)

    def record(self, entry: Engine) -> dict[str, Any]:
        """Return the fields of an engine."""
        return {
            "name": entry.name,
            "version": entry.version,
            "installed": entry.is_installed,
            "extra": entry.extra,
            "format": entry.export_format,
            "summary": entry.summary,
        }


def list_engines() -> EngineTable:
    """Return the registered engines other than Keras, which runs every model.

    Returns:
        An `EngineTable` with the installed versions. No engine is imported.

    Example:
        >>> list_engines().names
        ('openvino', 'onnxruntime')
    """
    return EngineTable(tuple(ENGINES.values()))
