"""`export_model`: a trained model as a file for other programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras

from breastcls.errors import ModelError
from breastcls.export.export_formats import ONNX_OPSET, ExportFormat, choose_format, require_packages, write_format
from breastcls.export.export_graph import build_export_graph
from breastcls.export.export_report import ExportReport
from breastcls.export.model_files import check_target, list_targets, new_model_files
from breastcls.export.parity import Parity, measure_parity
from breastcls.export.quantization import quantize_file, require_quantization
from breastcls.export.shared_card import OMIT, make_shared_card
from breastcls.models.forked_process import check_process
from breastcls.models.keras_internals import flatten_layers, is_functional
from breastcls.models.model_card import ModelCard, get_card
from breastcls.models.persistence import load_model
from breastcls.models.runtime_model import open_runtime_file, require_keras
from breastcls.models.sidecar import Sidecar, hash_model, write_sidecar
from breastcls.models.vector_input import require_image_size
from breastcls.predictions.pseudonyms import Pseudonyms


def export_model(
    model: keras.Model | str | os.PathLike[str],
    path: str | os.PathLike[str],
    format: str | None = None,
    *,
    check: Any = None,
    tolerance: float = 1e-4,
    quantize: Any = None,
    case_names: str | Pseudonyms = OMIT,
    overwrite: bool = False,
) -> ExportReport:
    """Export a model to a file that other programs run without breastcls and without Keras.

    The file computes what `predict` returns: the input scaling, a stain separation and the calibration of the card are
    part of its graph. Its input `image` is float32 (n, height, width, 3), RGB with values 0..255, any n; convert uint8
    to float32 without scaling. Its output `probabilities` is float32 (n, classes), one column per class for two classes
    too. Everything else is in a JSON file beside it, whose name is that of the model with ".json" appended: class
    names, threshold, input size and resize mode, a stain normalizer that has to be applied first, the licence of the
    weights, the comparison with Keras, SHA-256 of the files, and the card.

    The exported file is run and compared with the Keras model before it gets its name. `load_model`, `predict` and
    `evaluate` take it.

    Args:
        model: A `keras.Model` with a card, or the path of a `.keras` file.
        path: The file: `.onnx`; `.xml` for OpenVINO, with the weights in a `.bin` file beside it; `.tflite` for LiteRT;
            or a name without a suffix for the folder of a SavedModel.
        format: `"saved_model"`, `"onnx"` (opset 18), `"openvino"` or `"litert"`; None takes it from the suffix.
        check: Images for the comparison: a `Dataset`, or images in any form that `predict` takes. With two classes,
            blends of them with probabilities within 1e-3 of the threshold are compared too. None: eight synthetic
            images.
        tolerance: The largest accepted difference of a probability, float32 against float32.
        quantize: For OpenVINO: a `Dataset` of about 100 to 300 training images, by which the ranges of the int8
            computation are chosen. The change by it is measured on `check`, or without `check` on the same images. None
            exports float32.
        case_names: The names of cases and slides in the card, which the JSON file contains: `"omit"` writes their
            numbers, `"keep"` the names, so that `evaluate` finds leaks; or `Pseudonyms`.
        overwrite: Whether an exported model of the same name is replaced.

    Returns:
        The report; `print` shows it.

    Raises:
        ModelError: If a package is missing, the model has no card or cannot be converted, its probabilities differ from
            those of Keras by more than `tolerance`, or an argument has a wrong value. No file is left.
        OutputError: If the files exist and `overwrite` is false, or cannot be written.

    Example:
        >>> import tempfile
        >>> from breastcls.models.building import build_model
        >>> model = build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> with tempfile.TemporaryDirectory() as folder:  # doctest: +SKIP
        ...     print(export_model(model, f"{folder}/model.onnx"))
    """
    check_process()
    target = Path(path)
    entry = choose_format(format, target)
    if not 0 < tolerance < 1:
        raise ModelError(f"tolerance={tolerance!r}: expected a difference of probabilities between 0 and 1.")
    require_packages(entry)
    if quantize is not None:
        require_quantization(entry, quantize)
    check_target(target, overwrite)
    opened = load_model(Path(model)) if isinstance(model, (str, os.PathLike)) else model
    card = _check_model(opened, entry)
    shared = make_shared_card(card, case_names, entry.name)
    with new_model_files(target) as temporary:
        write_format(build_export_graph(opened, card), entry, temporary)
        parity, engine = _compare(opened, card, temporary, shared, entry, check)
        _require_parity(parity, tolerance, entry)
        found = None if quantize is None else quantize_file(temporary, shared, quantize, check)
        sidecar = Sidecar(
            format=entry.name,
            model_file=target.name,
            files=hash_model(temporary),
            card=shared,
            opset=ONNX_OPSET if entry.name == "onnx" else None,
            parity={**parity.to_dict(), "tolerance": tolerance, "engine": engine},
            quantization=found,
        )
        write_sidecar(sidecar, temporary)
    return ExportReport(target, sidecar, parity, tolerance, engine, _count_bytes(target), found)


def _check_model(model: Any, entry: ExportFormat) -> ModelCard:
    require_keras(model, "`export_model`")
    if not isinstance(model, keras.Model) or not is_functional(model):
        raise ModelError(f"Expected a functional keras.Model to export; found {type(model).__name__}.")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            f"The model has {len(model.inputs)} inputs and {len(model.outputs)} outputs; expected one of each."
        )
    precisions = {layer.compute_dtype for layer in flatten_layers(model)} & {"bfloat16", "float16"}
    if precisions and entry.name != "saved_model":
        raise ModelError(
            f"The model computes in {precisions.pop()}, which {entry.title} does not run here. Build and train it in "
            "float32, or export it with format='saved_model'."
        )
    card = get_card(model)
    if card is None:
        raise ModelError(
            "The model has no card, so that its class names and threshold are not known. Load it with "
            "`load_model(path, classes=...)`, or call `breastcls.models.set_card(model, "
            "breastcls.models.ModelCard(classes=..., image_size=...))`."
        )
    require_image_size(card, "`export_model`")
    return card


def _compare(
    model: keras.Model, card: ModelCard, path: Path, shared: ModelCard, entry: ExportFormat, check: Any
) -> tuple[Parity, str]:
    try:
        session = open_runtime_file(path, entry.name)
    except ModelError as error:
        reason = str(error).replace(str(path), path.name)
        raise ModelError(f"{entry.title} cannot run the exported model, and no file was written: {reason}") from error
    try:
        return measure_parity(model, card, session, shared, check), f"{session.engine} {session.version}"
    finally:
        session.close()


def _require_parity(parity: Parity, tolerance: float, entry: ExportFormat) -> None:
    largest = max(parity.largest_difference, parity.near_largest_difference)
    if largest > tolerance:
        raise ModelError(
            f"The probabilities of the model in {entry.title} differ from those of Keras by up to {largest:.2g} on "
            f"{parity.images} {parity.source} and {parity.near_images} blends; {tolerance:g} is accepted. "
            f"{parity.decisions_changed + parity.near_decisions_changed} predicted classes changed. No file was "
            "written. Try another format; a larger `tolerance` accepts the difference."
        )


def _count_bytes(path: Path) -> int:
    files = [file for target in list_targets(path) for file in (target.rglob("*") if target.is_dir() else [target])]
    return sum(file.stat().st_size for file in files if file.is_file())
