"""Keras models in files: `.keras`, and `.h5` with a whole model."""

from __future__ import annotations

import json
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import keras

from breastcls.errors import ModelError
from breastcls.models.backbones.transformers.swin_layers import SWIN_LAYERS
from breastcls.models.backbones.transformers.transformer_layers import TRANSFORMER_LAYERS
from breastcls.models.declared_sizes import check_h5, check_keras_archive
from breastcls.models.forked_process import check_process
from breastcls.models.keras_2_config import translate_keras_2
from breastcls.models.keras_internals import flatten_layers
from breastcls.models.model_card import ModelCard
from breastcls.models.saved_layers import check_code, check_known, list_saved_layers
from breastcls.models.spatial_moments import SpatialMoments
from breastcls.models.stain_separation import StainSeparation

CARD_FILE = "breastcls.json"
"""Name of the model card in the archive."""

LARGEST_CARD = 1 << 24
"""Most bytes of a model card."""

TRAINABLE_FILE = "breastcls-trainable.json"
"""Name of the list of trainable layers in the archive."""

# zipfile raises NotImplementedError and RuntimeError for parts that are encrypted or compressed by another method.
_DAMAGED = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, ValueError, OSError),
    *(NotImplementedError, RuntimeError, KeyError),
)
# The layers of breastcls that a saved model can contain.
_LAYERS = {
    keras.saving.get_registered_name(layer): layer
    for layer in (SpatialMoments, StainSeparation, *TRANSFORMER_LAYERS, *SWIN_LAYERS)
}


def load_keras_file(
    file: Path, kind: str, custom_objects: Mapping[str, Any], *, safe_mode: bool
) -> tuple[keras.Model, ModelCard | None]:
    """Load a model, not compiled, and its card.

    Args:
        file: The file.
        kind: "keras" or "h5".
        custom_objects: Classes that the model needs, by their names.
        safe_mode: Whether code in the file is refused.

    Raises:
        ModelError: If the file is damaged, has no model in it, needs layers that are not known, or contains code and
            `safe_mode` is true.
    """
    config, card = _read_archive(file) if kind == "keras" else (_read_h5_config(file), None)
    translated = translate_keras_2(config) if kind == "h5" else config
    objects = {**_LAYERS, **custom_objects}
    layers = list_saved_layers(translated, objects)
    if safe_mode:
        check_code(file, layers)
    check_process()
    try:
        with keras.saving.custom_object_scope(objects), _readable(file, config, translated) as path:
            model = keras.saving.load_model(path, compile=False, safe_mode=safe_mode)
    except ModelError:
        raise
    # For damaged files zipfile, h5py and Keras raise many different errors.
    except Exception as error:
        check_known(file, layers)
        raise ModelError(f"Keras {keras.__version__} cannot load {file}: {_short(error)} {_advice(file)}") from error
    if kind == "keras":
        _restore_trainable(file, model)
    return model, card


def describe_trainable(model: keras.Model) -> str:
    """Return as JSON which layers are trainable, at any depth.

    Keras restores it for the layers in its configuration only, and not inside of a layer or model that builds its parts
    from arguments, such as the networks of KerasCV and KerasHub.
    """
    return json.dumps([bool(layer.trainable) for layer in flatten_layers(model)])


def _restore_trainable(file: Path, model: keras.Model) -> None:
    with zipfile.ZipFile(file) as archive:
        if TRAINABLE_FILE not in archive.namelist():
            return
        text = archive.read(TRAINABLE_FILE) if archive.getinfo(TRAINABLE_FILE).file_size <= LARGEST_CARD else b""
    layers = flatten_layers(model)
    try:
        flags = json.loads(text)
    # Of a damaged or manipulated file.
    except (ValueError, RecursionError):
        flags = None
    if not (isinstance(flags, list) and len(flags) == len(layers) and {True, False}.issuperset(flags)):
        raise ModelError(
            f"{file}: {TRAINABLE_FILE} does not state for each of the {len(layers)} layers whether it is trainable. "
            "The file is damaged. Copy or save it again."
        )
    # An outer layer comes first, since setting its flag sets those of all layers inside it.
    for layer, flag in zip(layers, flags, strict=True):
        layer.trainable = flag


@contextmanager
def _readable(file: Path, config: Any, translated: Any) -> Iterator[Path]:
    """Yield a file, or a temporary copy of it with another configuration."""
    if translated == config:
        yield file
        return
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.h5"
        with h5py.File(file, "r") as source, h5py.File(path, "w") as target:
            for name, value in source.attrs.items():
                target.attrs[name] = json.dumps(translated) if name == "model_config" else value
            if not isinstance(source.get("model_weights", getlink=True), h5py.HardLink):
                raise ModelError(f"{file}: the weights are not in the file itself. Do not use it.")
            source.copy("model_weights", target)
        yield path


def _short(error: Exception) -> str:
    # Keras' own advice names arguments and functions that are not those of breastcls.
    text = " ".join(str(error).split()).partition(" If you trust")[0]
    return text[:500] or type(error).__name__


def _advice(file: Path) -> str:
    """Return what to do about a file that Keras cannot load, which depends on the Keras that saved it."""
    version = _saving_version(file)
    if version.startswith("2."):
        save = " save it as '.h5', which load_model reads, or" if file.suffix == ".keras" else ""
        return (
            f"Keras {version} saved it. Load it there, or with the package tf_keras, and{save} write it as ONNX "
            "(`python -m tf2onnx.convert --keras model.h5 --output model.onnx`)."
        )
    return (
        f"The file may be damaged, be saved by a newer Keras{f' ({version} saved it)' if version else ''}, or contain "
        "custom layers whose package must be imported first."
    )


def _saving_version(file: Path) -> str:
    """Return the version of Keras that saved a file, or "" where it cannot be read."""
    import h5py

    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                return str(json.loads(archive.read("metadata.json"))["keras_version"])
        with h5py.File(file, "r") as archive:
            return str(archive.attrs.get("keras_version", ""))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return ""


def _read_archive(file: Path) -> tuple[Any, ModelCard | None]:
    """Return the configuration of a model in a `.keras` file, and its card."""
    text = None
    try:
        with zipfile.ZipFile(file) as archive:
            _check_members(file, archive)
            check_keras_archive(file, archive)
            config = json.loads(archive.read("config.json"))
            if CARD_FILE in archive.namelist():
                if archive.getinfo(CARD_FILE).file_size > LARGEST_CARD:
                    raise ModelError(f"{file}: {CARD_FILE} has more than {LARGEST_CARD} bytes and is not a model card.")
                text = archive.read(CARD_FILE).decode("utf-8")
    except ModelError:
        raise
    except _DAMAGED as error:
        raise ModelError(f"{file} is not a '.keras' file or is damaged ({error}). Copy or save it again.") from error
    if text is None:
        return config, None
    try:
        return config, ModelCard.from_json(text)
    except ModelError as error:
        raise ModelError(f"{file}: {error}") from error


def _check_members(file: Path, archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    for name in names:
        member = PurePosixPath(name.replace("\\", "/"))
        if member.is_absolute() or ".." in member.parts or ":" in name:
            raise ModelError(f"{file} contains {name!r}, a path outside of the archive. Do not use this file.")
    if len(set(names)) < len(names):
        raise ModelError(f"{file} contains two files of the same name. It is damaged or was manipulated.")
    if "config.json" not in names or not any(name.startswith("model.weights.") for name in names):
        raise ModelError(f"{file} is a zip archive but not a Keras model: config.json or the weights are missing.")


def _read_h5_config(file: Path) -> Any:
    """Return the configuration of the model in an HDF5 file."""
    import h5py

    try:
        with h5py.File(file, "r") as archive:
            text = archive.attrs.get("model_config")
            members, weights_only = list(archive), _holds_weights(archive)
            if text is not None:
                text = text.decode("utf-8") if isinstance(text, bytes) else text
                check_h5(file, archive, text)
                return json.loads(text)
    except ModelError:
        raise
    # For damaged files h5py raises many different errors.
    except Exception as error:
        raise ModelError(f"{file} is no HDF5 file of Keras or is damaged: {_short(error)} Copy it again.") from error
    if weights_only:
        raise ModelError(
            f"{file} contains the weights of a model but not its architecture. Build the model by the code that it was "
            f"trained with, then `model.load_weights({file.name!r})` and `breastcls.models.set_card(model, "
            "ModelCard(classes=..., image_size=...))`; or save the whole model there: `model.save('model.keras')`."
        )
    raise ModelError(
        f"{file} is an HDF5 file, but contains no Keras model; found "
        f"{', '.join(map(repr, members[:5])) or 'no entries'}."
    )


def _holds_weights(archive: Any) -> bool:
    # Keras 2 and 3.
    return "layer_names" in archive.attrs or "layers" in archive or "_layer_checkpoint_dependencies" in archive
