"""The JSON file beside an exported model: how its inputs are prepared and its outputs are decided on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from breastcls._version import __version__
from breastcls.errors import ModelError
from breastcls.files import hash_file, write_json
from breastcls.models.card_calibration import find_calibration, is_calibration_in_graph
from breastcls.models.model_card import ModelCard
from breastcls.models.probability_rule import DEFAULT_THRESHOLD
from breastcls.models.sidecar_values import check_sidecar_values, describe_resize
from breastcls.models.vector_input import require_image_size
from breastcls.models.weights_licence import weights_licence
from breastcls.result import ShownInNotebook

SIDECAR_SCHEMA = 1
"""Version of the JSON. It is raised with every change of the fields; all earlier versions stay readable."""

_LARGEST = 1 << 24


@dataclass(frozen=True)
class Sidecar(ShownInNotebook):
    """What is needed to use an exported model without breastcls, and the card by which breastcls uses it.

    The JSON repeats what the card says in keys that need no knowledge of breastcls. Keys whose meaning equals that of a
    model configuration of WSInfer (`architecture`, `num_classes`, `class_names`, `patch_size_pixels`, `spacing_um_px`,
    `transform`) have the same names.

    Attributes:
        format: "saved_model", "onnx", "openvino" or "litert".
        model_file: Name of the model file or folder.
        files: SHA-256 of every file of the model, by its path relative to the folder of the sidecar.
        card: The card of the model. `provenance["export"]["calibration_in_graph"]` is true where the graph applies the
            calibration.
        opset: The version of the ONNX operator set, or None for another format.
        parity: How the exported model compared with the Keras model; JSON values.
        quantization: How the quantised model compared with the one before; JSON values, or None.
        version: Version of breastcls that wrote the file.
    """

    format: str
    model_file: str
    files: Mapping[str, str]
    card: ModelCard
    opset: int | None = None
    parity: Mapping[str, Any] = field(default_factory=dict)
    quantization: Mapping[str, Any] | None = None
    version: str = __version__

    @property
    def calibration_in_graph(self) -> bool:
        """Whether the outputs of the model are calibrated probabilities."""
        return is_calibration_in_graph(self.card)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON values of the file."""
        card = self.card
        height, width = require_image_size(card, "An exported model")
        calibration = find_calibration(card)
        normalizer = {} if card.stain is None else {"name": "NormalizeStain", "arguments": dict(card.stain)}
        threshold = DEFAULT_THRESHOLD if card.threshold is None else card.threshold
        binary = len(card.classes) == 2
        return {
            "schema": SIDECAR_SCHEMA,
            "written_by": f"breastcls {self.version}",
            "format": self.format,
            "opset": self.opset,
            "model_file": self.model_file,
            "files": dict(self.files),
            "architecture": card.backbone,
            "num_classes": len(card.classes),
            "class_names": list(card.classes),
            "positive_class": card.classes[-1] if binary else None,
            "patch_size_pixels": height if height == width else [height, width],
            "spacing_um_px": None,
            "transform": [*([normalizer] if normalizer else []), describe_resize(card.resize, (height, width))],
            "input": {
                "name": "image",
                "dtype": "float32",
                "shape": [None, height, width, 3],
                "layout": "NHWC",
                "channels": "RGB",
                "value_range": [0, 255],
            },
            "output": {"name": "probabilities", "dtype": "float32", "shape": [None, len(card.classes)]},
            "decision": {
                "threshold": threshold if binary else None,
                "rule": "positive class where its probability, as float32, is at least the threshold as float32"
                if binary
                else "the class of the largest probability, the first of equal ones",
            },
            "calibration": None
            if calibration is None
            else {"in_graph": self.calibration_in_graph, "method": calibration.method, "level": calibration.level},
            "weights": {"name": card.weights, "licence": weights_licence({**vars(card)}) or None},
            "parity": dict(self.parity),
            "quantization": None if self.quantization is None else dict(self.quantization),
            "card": card.to_dict(),
        }

    def check_files(self, path: str | os.PathLike[str]) -> None:
        """Compare the files of a model with their hashes.

        Args:
            path: The model. It may have another name than at its export.

        Raises:
            ModelError: If a file is missing or has other content.
        """
        model = Path(path)
        for name, expected in self.files.items():
            file = model.parent / _renamed(name, self.model_file, model.name)
            if not file.is_file():
                raise ModelError(
                    f"{file} is missing; it belongs to the exported model {model}. Copy or export it again."
                )
            if hash_file(file) != expected:
                raise ModelError(
                    f"{file} is not the file that was exported: its SHA-256 differs from the one in "
                    f"{sidecar_path(model)}. It is truncated, damaged or was replaced. Copy or export it again."
                )


def sidecar_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of the JSON file of an exported model: its full name with ".json" appended.

    Example:
        >>> sidecar_path("model.onnx").name
        'model.onnx.json'
    """
    model = Path(path)
    return model.with_name(f"{model.name}.json")


def read_sidecar(path: str | os.PathLike[str]) -> Sidecar | None:
    """Read the JSON file of an exported model, or return None if there is none.

    The hashes of the model are not compared; see `Sidecar.check_files`.

    Args:
        path: The exported model, for example `model.onnx`.

    Returns:
        A `Sidecar`, or None.

    Raises:
        ModelError: If the file is damaged, is no sidecar, or was written by a newer version of breastcls.
    """
    file = sidecar_path(path)
    if not file.is_file():
        return None
    try:
        if file.stat().st_size > _LARGEST:
            raise ModelError(f"{file} has more than {_LARGEST} bytes and is not the sidecar of an exported model.")
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{file} is not JSON or is damaged ({error}). Copy it again or export the model again."
        ) from error
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror or error}.") from error
    return sidecar_of(values, file)


def sidecar_of(values: Any, file: str | os.PathLike[str]) -> Sidecar:
    """Return the sidecar of which `Sidecar.to_dict` returned the values.

    Args:
        values: The JSON values.
        file: The file that they come from, for messages.

    Raises:
        ModelError: If they are no sidecar, or contradict themselves.
    """
    check_sidecar_values(values, file, SIDECAR_SCHEMA)
    try:
        card = ModelCard.from_json(json.dumps(values["card"]))
    except ModelError as error:
        raise ModelError(f"{file}: {error}") from error
    sidecar = Sidecar(
        format=values["format"],
        model_file=values["model_file"],
        files=dict(values["files"]),
        card=card,
        opset=values.get("opset"),
        parity=values.get("parity") or {},
        quantization=values.get("quantization"),
        version=str(values.get("written_by", "")).removeprefix("breastcls "),
    )
    # Edited by hand, the keys for other programs and the card would lead to different decisions.
    derived = json.loads(json.dumps(sidecar.to_dict()))
    for key in ("class_names", "transform", "input", "output", "decision", "calibration"):
        if values.get(key) != derived[key]:
            raise ModelError(
                f"{file}: {key} is {values.get(key)!r:.200}, but by its card it is {derived[key]!r:.200}. Change the "
                "model with breastcls and export it again."
            )
    return sidecar


def write_sidecar(sidecar: Sidecar, path: str | os.PathLike[str]) -> Path:
    """Write the JSON file of an exported model.

    Args:
        sidecar: Its content.
        path: The exported model, not the JSON file.

    Raises:
        OutputError: If the file cannot be written.
    """
    file = sidecar_path(path)
    write_json(sidecar.to_dict(), file)
    return file


def hash_model(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the SHA-256 of every file of an exported model, by its path relative to the folder of the model.

    Args:
        path: A file, or the folder of a SavedModel. The weights of an OpenVINO model are in a second file, `.bin`.
    """
    model = Path(path)
    files = [model, model.with_suffix(".bin")] if model.suffix == ".xml" else [model]
    if model.is_dir():
        files = sorted(file for file in model.rglob("*") if file.is_file())
    return {file.relative_to(model.parent).as_posix(): hash_file(file) for file in files}


def _renamed(name: str, before: str, after: str) -> str:
    """Return the name of a file of a model that was renamed."""
    if name == before or name.startswith(f"{before}/"):
        return after + name[len(before) :]
    old, new = Path(before), Path(after)
    return new.with_suffix(Path(name).suffix).name if Path(name).stem == old.stem else name
