"""Saving and loading: one `.keras` file that plain Keras opens too, with the model card inside."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import keras

from breastcls.errors import ModelError
from breastcls.files import atomic_path
from breastcls.models.model_card import ModelCard, check_classes, get_card, set_card
from breastcls.models.spatial_moments import SpatialMoments
from breastcls.models.stain_separation import StainSeparation

CARD_MEMBER = "breastcls.json"
"""Name of the card in the archive."""

_LARGEST_CARD = 1 << 24
# The layers of breastcls that a saved model can hold.
_LAYERS = {keras.saving.get_registered_name(layer): layer for layer in (SpatialMoments, StainSeparation)}


def save_model(model: keras.Model, path: str | os.PathLike[str]) -> Path:
    """Write a model to one `.keras` file, whole or not at all.

    The file holds the architecture, the weights, which layers are trainable, and the card. It does not hold the
    optimizer, loss and metrics: they would triple its size, and a loss of one's own would keep plain Keras from opening
    it.

    Args:
        model: A `keras.Model`, with a card (`get_card`) or without.
        path: A file name that ends in `.keras`. Missing folders are made; an existing file is replaced.

    Returns:
        The path.

    Raises:
        ModelError: If the name does not end in `.keras`, Keras cannot save the model, or its card is far too large.
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
            f"The card of the model {model.name!r} is larger than {_LARGEST_CARD} bytes, more than load_model takes. "
            "Its provenance holds too much: keep that in a file of its own."
        )
    with atomic_path(target) as temporary:
        try:
            _without_training_state(model).save(temporary)
        except (ValueError, TypeError, NotImplementedError, AttributeError) as error:
            raise ModelError(f"Keras cannot save the model {model.name!r}: {error}") from error
        if text is not None:
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(CARD_MEMBER, text)
    return target


def load_model(path: str | os.PathLike[str], *, classes: Sequence[str] | None = None) -> keras.Model:
    """Load a model from a `.keras` file, ours or one that plain Keras saved.

    Keras loads it in safe mode, which refuses code inside the file. The model comes back uncompiled.

    Args:
        path: The file.
        classes: Class names for a model that has no card, in the order of its outputs, the positive class last. For a
            model that has one they must be the same.

    Returns:
        The model, with its card (`get_card`); a model of plain Keras has no card unless `classes` is given.

    Raises:
        ModelError: If the file is missing, damaged, no `.keras` file, unsafe, or written by a newer breastcls, or if
            `classes` does not fit.
    """
    file = Path(path)
    card = _read_card(file)
    try:
        with keras.saving.custom_object_scope(_LAYERS):
            model = keras.saving.load_model(file, compile=False, safe_mode=True)
    # A damaged file makes zipfile, h5py and Keras raise nearly anything.
    except Exception as error:
        raise ModelError(
            f"Keras cannot load {file}: {' '.join(str(error).split())[:500] or type(error).__name__} The file may be "
            "damaged, come from a newer Keras, or need code of its own to be imported first."
        ) from error
    if classes is not None:
        names = check_classes(classes)
        if card is not None and card.classes != names:
            raise ModelError(f"{file} was saved with the classes {card.classes}; classes={names} was asked for.")
        card = card or _minimal_card(model, names, file)
    if card is not None:
        set_card(model, card)
    return model


def _without_training_state(model: keras.Model) -> keras.Model:
    """The same graph of the same layers, never compiled."""
    # A model without a graph, or with several inputs in a structure of its own, can only be saved as it is.
    if len(getattr(model, "inputs", None) or ()) != 1 or len(getattr(model, "outputs", None) or ()) != 1:
        return model
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def _read_card(file: Path) -> ModelCard | None:
    if not file.exists():
        raise ModelError(f"There is no file {file}. Expected a model saved by save_model.")
    if file.is_dir():
        raise ModelError(f"{file} is a folder. Expected a '.keras' file, as save_model writes it.")
    if file.suffix != ".keras":
        raise ModelError(f"{file}: expected a '.keras' file, as save_model writes it. Other formats are not read.")
    try:
        with zipfile.ZipFile(file) as archive:
            _check_members(file, archive)
            if CARD_MEMBER not in archive.namelist():
                return None
            if archive.getinfo(CARD_MEMBER).file_size > _LARGEST_CARD:
                raise ModelError(f"{file}: {CARD_MEMBER} is larger than {_LARGEST_CARD} bytes; this is no model card.")
            text = archive.read(CARD_MEMBER).decode("utf-8")
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, UnicodeDecodeError, OSError) as error:
        raise ModelError(
            f"{file} is not a '.keras' file or is damaged ({error}). If it was copied, copy it again."
        ) from error
    try:
        return ModelCard.from_json(text)
    except ModelError as error:
        raise ModelError(f"{file}: {error}") from error


def _check_members(file: Path, archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    for name in names:
        member = PurePosixPath(name.replace("\\", "/"))
        if member.is_absolute() or ".." in member.parts or ":" in name:
            raise ModelError(f"{file} holds the member {name!r}, which points outside of it. Do not trust this file.")
    if len(set(names)) < len(names):
        raise ModelError(f"{file} holds two members of one name. It is damaged, or was tampered with.")
    if "config.json" not in names or not any(name.startswith("model.weights.") for name in names):
        raise ModelError(
            f"{file} is a zip archive, but not a Keras model: config.json or the weights are missing in it."
        )


def _minimal_card(model: keras.Model, classes: tuple[str, ...], file: Path) -> ModelCard:
    inputs, outputs = model.input_shape, model.output_shape
    if not (isinstance(inputs, tuple) and len(inputs) == 4 and None not in inputs[1:3] and inputs[3] == 3):
        raise ModelError(
            f"{file}: expected a model of images (n, height, width, 3) of a fixed size; it takes {inputs}."
        )
    fitting = (len(classes), 1) if len(classes) == 2 else (len(classes),)
    if not (isinstance(outputs, tuple) and len(outputs) == 2 and outputs[1] in fitting):
        raise ModelError(
            f"{file}: classes={classes} needs a model with output (n, {len(classes)}); this one gives {outputs}."
        )
    return ModelCard(classes=classes, image_size=inputs[1:3])
