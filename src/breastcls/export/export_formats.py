"""The formats of export: their suffixes, their packages and how Keras writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras

from breastcls.argument_checks import check_choice
from breastcls.errors import ModelError
from breastcls.metrics.number_format import join_words
from breastcls.models.engines.engine_packages import is_installed
from breastcls.models.engines.tensorflow_export import export_network
from breastcls.models.keras_export import prepare_export
from breastcls.text_tables import choose_form

ONNX_OPSET = 18
"""The version of the ONNX operator set of exported files; ONNX Runtime reads it from version 1.14."""


@dataclass(frozen=True)
class ExportFormat:
    """A format that `export_model` writes.

    Attributes:
        name: The name that the argument `format` accepts.
        suffix: The suffix of the file; "" for a folder.
        keras_format: The format of `keras.Model.export`.
        packages: The packages that write and read it, besides Keras and TensorFlow.
        extra: The extra of breastcls that installs them.
        title: Its name in print.
    """

    name: str
    suffix: str
    keras_format: str
    packages: tuple[str, ...]
    extra: str
    title: str


EXPORT_FORMATS = {
    entry.name: entry
    for entry in (
        ExportFormat("saved_model", "", "tf_saved_model", (), "", "TensorFlow SavedModel"),
        ExportFormat("onnx", ".onnx", "onnx", ("onnx", "onnxruntime", "tf2onnx"), "onnx", "ONNX"),
        ExportFormat("openvino", ".xml", "openvino", ("openvino",), "openvino", "OpenVINO"),
        ExportFormat("litert", ".tflite", "litert", ("ai_edge_litert",), "litert", "LiteRT"),
    )
}


def choose_format(name: str | None, path: Path) -> ExportFormat:
    """Return the format of a name, or of the suffix of a path.

    Raises:
        ModelError: If there is no such format, or the path has another suffix.
    """
    check_choice("format", name, (None, *EXPORT_FORMATS), error=ModelError)
    if name is None:
        fitting = [entry for entry in EXPORT_FORMATS.values() if entry.suffix == path.suffix.lower()]
        if not fitting:
            raise ModelError(
                f"path={str(path)!r}: no format has this suffix. Expected '.onnx', '.xml' (OpenVINO), '.tflite' "
                "(LiteRT), or no suffix for the folder of a SavedModel; or pass `format`."
            )
        return fitting[0]
    entry = EXPORT_FORMATS[name]
    if entry.suffix and path.suffix != entry.suffix:
        raise ModelError(f"path={str(path)!r}: the name of a file in {entry.title} must end in '{entry.suffix}'.")
    file_suffixes = {other.suffix for other in EXPORT_FORMATS.values() if other.suffix} | {".keras", ".h5"}
    if not entry.suffix and path.suffix in file_suffixes:
        raise ModelError(f"path={str(path)!r}: a SavedModel is a folder; give a name without '{path.suffix}'.")
    return entry


def require_packages(entry: ExportFormat) -> None:
    """Check that the packages of a format are installed.

    Raises:
        ModelError: If one is missing; the message names the extra.
    """
    if missing := [name for name in entry.packages if not is_installed(name)]:
        raise ModelError(
            f"Export to {entry.title} needs {join_words(missing)}, which {choose_form(len(missing), 'is', 'are')} not "
            "installed. Install with: "
            f'pip install "breastcls[{entry.extra}]"'
        )


def write_format(graph: keras.Model, entry: ExportFormat, path: Path) -> None:
    """Write a graph in a format, through `keras.Model.export`.

    Raises:
        ModelError: If Keras or the converter cannot write it.
        OSError: If the file cannot be written.
    """
    options = {"opset_version": ONNX_OPSET} if entry.name == "onnx" else {}
    with prepare_export(graph, entry.keras_format, f"The model {graph.name!r} cannot be exported to {entry.title}"):
        export_network(graph, path, entry.keras_format, signature=True, **options)
        if entry.name == "onnx":
            _name_batch(path)


def _name_batch(path: Path) -> None:
    """Give the batch dimension the same name at the input and the output of an ONNX file, and check the file."""
    import onnx

    model = onnx.load(str(path))
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
