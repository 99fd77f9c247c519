"""The record of the engine that computed something: its name, version and precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TITLES = {"keras": "Keras", "openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "litert": "LiteRT"}


def record_engine(runner: Any) -> dict[str, str]:
    """Return what runs a model, as JSON values.

    Args:
        runner: A Keras model, a session, or a model with a `session`.

    Returns:
        `name`, `version`, `precision` and, where another engine was asked for, `note`: the reason.
    """
    # Imported here: predictions are read and printed without Keras.
    import keras

    if isinstance(runner, keras.Model):
        return {"name": "keras", "version": keras.__version__, "precision": str(runner.compute_dtype)}
    session = getattr(runner, "session", runner)
    record = {"name": session.engine, "version": session.version, "precision": session.precision}
    return {**record, "note": session.note} if session.note else record


def engine_title(name: str) -> str:
    """Return the name of an engine as its makers write it.

    Example:
        >>> engine_title("openvino")
        'OpenVINO'
    """
    return _TITLES.get(name, name)


def engine_in_words(record: Mapping[str, Any] | None) -> str:
    """Return the record in words, or "" without one.

    Example:
        >>> engine_in_words({"name": "openvino", "version": "2026.4.1", "precision": "float32"})
        'OpenVINO 2026.4.1, float32'
    """
    if not record:
        return ""
    note = f" ({record['note']})" if record.get("note") else ""
    return f"{engine_title(record['name'])} {record['version']}, {record['precision']}{note}"
