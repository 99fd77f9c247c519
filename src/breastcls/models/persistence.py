"""`save_model` and `load_model`: one `.keras` file, which Keras can load too, with the model card inside."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import keras

from breastcls.errors import ModelError
from breastcls.files import atomic_path
from breastcls.models.forked_process import check_process
from breastcls.models.model_card import ModelCard, check_classes, get_card, set_card
from breastcls.models.spatial_moments import SpatialMoments
from breastcls.models.stain_separation import StainSeparation

CARD_FILE = "breastcls.json"
"""Name of the model card in the archive."""

_LARGEST_CARD = 1 << 24
# The layers of breastcls that a saved model can contain.
_LAYERS = {keras.saving.get_registered_name(layer): layer for layer in (SpatialMoments, StainSeparation)}


def save_model(model: keras.Model, path: str | os.PathLike[str]) -> Path:
    """Write a model to one `.keras` file, completely or not at all.

    The file contains the architecture, the weights, which layers are trainable, and the card. It does not contain the
    optimizer, the loss and the metrics, because they would triple its size and Keras could not load a custom loss.

    Args:
        model: A `keras.Model`, with a card (`get_card`) or without.
        path: A file name that ends in `.keras`. Missing folders are created; an existing file is replaced.

    Returns:
        The path.

    Raises:
        ModelError: If the name does not end in `.keras`, Keras cannot save the model, or its card is too large.
        OutputError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> from breastcls.models.building import build_model
        >>> model = build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = save_model(model, f"{folder}/small.keras")
        ...     get_card(load_model(path)).classes
        ('benign', 'malignant')
    """
    target = Path(path)
    if target.suffix != ".keras":
        raise ModelError(f"path={str(path)!r}: the file name of a saved model must end in '.keras'.")
    if not isinstance(model, keras.Model):
        raise ModelError(f"Expected a keras.Model to save; found {type(model).__name__}.")
    card = get_card(model)
    text = None if card is None else card.to_json()
    if text is not None and len(text.encode("utf-8")) > _LARGEST_CARD:
        raise ModelError(
            f"The card of the model {model.name!r} is larger than {_LARGEST_CARD} bytes, the limit of `load_model`. "
            "Store the large entries of its provenance in another file."
        )
    with atomic_path(target) as temporary:
        try:
            _without_training_state(model).save(temporary)
        except (ValueError, TypeError, NotImplementedError, AttributeError) as error:
            raise ModelError(f"Keras cannot save the model {model.name!r}: {error}") from error
        if text is not None:
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(CARD_FILE, text)
    return target


def load_model(path: str | os.PathLike[str], *, classes: Sequence[str] | None = None) -> keras.Model:
    """Load a model from a `.keras` file that `save_model` or Keras saved.

    The file is loaded in the safe mode of Keras, which refuses code in the file. The model is not compiled.

    Args:
        path: The file.
        classes: Class names for a model without a card, in the order of its outputs, the positive class last. For a
            model with a card they must equal those of the card.

    Returns:
        The model with its card (`get_card`). A model that was saved by Keras has no card unless `classes` is passed.

    Raises:
        ModelError: If the file is missing, damaged, not a `.keras` file or unsafe, if a newer version of breastcls
            wrote its card, or if `classes` does not match the model.
    """
    file = Path(path)
    card = _read_card(file)
    check_process()
    try:
        with keras.saving.custom_object_scope(_LAYERS):
            model = keras.saving.load_model(file, compile=False, safe_mode=True)
    # For damaged files zipfile, h5py and Keras raise many different errors.
    except Exception as error:
        raise ModelError(
            f"Keras cannot load {file}: {' '.join(str(error).split())[:500] or type(error).__name__} The file may be "
            "damaged, be saved by a newer Keras, or contain custom layers whose package must be imported first."
        ) from error
    if classes is not None:
        names = check_classes(classes)
        if card is not None and card.classes != names:
            raise ModelError(
                f"{file} was saved with the classes {card.classes}; expected classes={names}. Omit `classes`."
            )
        card = card or _minimal_card(model, names, file)
    if card is not None:
        set_card(model, card)
    return model


def _without_training_state(model: keras.Model) -> keras.Model:
    """Return a model with the same graph and layers that was never compiled."""
    # A model without a graph, or with several inputs, is saved as it is.
    if len(getattr(model, "inputs", None) or ()) != 1 or len(getattr(model, "outputs", None) or ()) != 1:
        return model
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def _read_card(file: Path) -> ModelCard | None:
    if not file.exists():
        raise ModelError(f"There is no file {file}; expected a model saved by `save_model`.")
    if file.is_dir():
        raise ModelError(f"{file} is a folder; expected a '.keras' file as saved by `save_model`.")
    if file.suffix != ".keras":
        raise ModelError(f"{file}: expected a '.keras' file as saved by `save_model`. Other formats are not supported.")
    try:
        with zipfile.ZipFile(file) as archive:
            _check_members(file, archive)
            if CARD_FILE not in archive.namelist():
                return None
            if archive.getinfo(CARD_FILE).file_size > _LARGEST_CARD:
                raise ModelError(f"{file}: {CARD_FILE} has more than {_LARGEST_CARD} bytes and is not a model card.")
            text = archive.read(CARD_FILE).decode("utf-8")
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, UnicodeDecodeError, OSError) as error:
        raise ModelError(f"{file} is not a '.keras' file or is damaged ({error}). Copy or save it again.") from error
    try:
        return ModelCard.from_json(text)
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


def _minimal_card(model: keras.Model, classes: tuple[str, ...], file: Path) -> ModelCard:
    inputs, outputs = model.input_shape, model.output_shape
    if not (isinstance(inputs, tuple) and len(inputs) == 4 and None not in inputs[1:3] and inputs[3] == 3):
        raise ModelError(
            f"{file}: the model has the input {inputs}; expected images (n, height, width, 3) of a fixed size."
        )
    fitting = (len(classes), 1) if len(classes) == 2 else (len(classes),)
    if not (isinstance(outputs, tuple) and len(outputs) == 2 and outputs[1] in fitting):
        raise ModelError(
            f"{file}: the model has the output {outputs}; expected (n, {len(classes)}) for classes={classes}."
        )
    return ModelCard(classes=classes, image_size=inputs[1:3])
