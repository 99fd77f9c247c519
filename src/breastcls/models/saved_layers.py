"""The layers that a saved Keras model names in its configuration, which is read before Keras makes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from breastcls.errors import ModelError

_OF_KERAS_2 = (
    "TFOpLambda",
    "SlicingOpLambda",
    "ClassMethod",
    "InstanceMethod",
    "InstanceProperty",
    "TensorFlowOpLayer",
)


@dataclass(frozen=True)
class SavedLayers:
    """What a configuration of a model names besides the layers of Keras.

    Attributes:
        lambdas: Names of the Lambda layers, or else what contains Python code.
        unknown: Classes that are neither of Keras nor registered with it, as `module.Class` or `Class`.
        operations: Names of operations of TensorFlow that only Keras 2 can load.
    """

    lambdas: tuple[str, ...]
    unknown: tuple[str, ...]
    operations: tuple[str, ...]


def list_saved_layers(config: Any, custom_objects: Mapping[str, Any]) -> SavedLayers:
    """Return what the configuration of a model names besides the layers of Keras.

    Args:
        config: The JSON values.
        custom_objects: Classes by their names, as Keras takes them.
    """
    lambdas, functions, unknown, operations = [], [], [], []
    for node in _nodes(config):
        kind, own = str(node["class_name"]), node.get("config")
        name = str(own.get("name", kind)) if isinstance(own, Mapping) else kind
        if kind == "Lambda":
            lambdas.append(name)
        elif kind == "__lambda__":
            functions.append("a function")
        elif kind in _OF_KERAS_2:
            operations.append(name)
        elif not _is_known(node, kind, custom_objects):
            module = node.get("module")
            unknown.append(f"{module}.{kind}" if isinstance(module, str) and module else kind)
    return SavedLayers(*(tuple(dict.fromkeys(names)) for names in (lambdas or functions, unknown, operations)))


def check_code(file: Path, layers: SavedLayers) -> None:
    """Refuse a model that contains Python code.

    Raises:
        ModelError: If it does.
    """
    if layers.lambdas:
        raise ModelError(
            f"{file} contains Python code, which could do anything on this computer: Lambda layers "
            f"({_listed(layers.lambdas)}). If you trust its origin, load it with load_model(path, safe_mode=False). "
            "Better, replace Lambda by layers of Keras where the model is defined (for a scaling "
            "keras.layers.Rescaling) and save it again."
        )


def check_known(file: Path, layers: SavedLayers) -> None:
    """Refuse a model with layers that are not known here, after Keras has failed to load it.

    Raises:
        ModelError: If it has such layers; the message says where to get them.
    """
    if layers.operations:
        raise ModelError(
            f"{file} was saved by Keras 2 with operations of TensorFlow as layers ({_listed(layers.operations)}), "
            "which Keras 3 cannot load. Where it was made, or with the package tf_keras, load it and write it as ONNX "
            "(`python -m tf2onnx.convert --keras model.h5 --output model.onnx`); then load_model('model.onnx', ...)."
        )
    if layers.unknown:
        short = layers.unknown[0].rpartition(".")[2]
        operations = (
            " Operations of Keras outside of layers, such as TrueDivide, cannot be loaded from an '.h5' file: save "
            "the model as '.keras' where it was made."
            if file.suffix != ".keras"
            else ""
        )
        raise ModelError(
            f"{file} contains layers that Keras does not know: {_listed(layers.unknown)}. Import the package that "
            "defines them first, if its classes are decorated with @keras.saving.register_keras_serializable(); or "
            f"pass the classes: load_model(path, custom_objects={{{short!r}: {short}}}).{operations}"
        )


def _nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    pending = [value]
    while pending:
        node = pending.pop(0)
        if isinstance(node, Mapping):
            if isinstance(node.get("class_name"), str):
                yield node
            # The settings of training are not loaded, so that unknown losses and metrics do no harm.
            pending.extend(inner for key, inner in node.items() if key not in ("compile_config", "build_config"))
        elif isinstance(node, list | tuple):
            pending.extend(node)


def _is_known(node: Mapping[str, Any], kind: str, custom_objects: Mapping[str, Any]) -> bool:
    module, registered = node.get("module"), node.get("registered_name")
    if isinstance(module, str) and (module == "keras" or module.startswith(("keras.", "builtins"))):
        return True
    names = {kind, str(registered or kind)}
    if names & set(custom_objects) or any(keras.saving.get_registered_object(name) is not None for name in names):
        return True
    # Keras 2 wrote no modules.
    return module is None and _is_of_keras(kind)


def _is_of_keras(kind: str) -> bool:
    return (
        kind.startswith("__")
        or kind == "Functional"
        or any(
            hasattr(part, kind)
            for part in (
                keras,
                keras.layers,
                keras.models,
                keras.initializers,
                keras.regularizers,
                keras.constraints,
                keras.activations,
                keras.dtype_policies,
            )
        )
    )


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
