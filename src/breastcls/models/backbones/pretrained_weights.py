"""Pretrained weights: finding, downloading and loading weight files."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from breastcls.errors import LicenceWarning, WeightsError
from breastcls.files import hash_file
from breastcls.models.backbones.backbone import Backbone, PackagedWeights, WeightsFile
from breastcls.models.backbones.packaged_weights import find_packaged_weights
from breastcls.models.checkpoints.tensor_file import INDEX_SUFFIX, TENSOR_SUFFIXES, find_tensor_file

_SUFFIXES = (".h5", ".hdf5", ".keras")
_TIMEOUT_SECONDS = 20.0


def weights_folder() -> Path:
    """Return the folder of the weight files of Keras: `$KERAS_HOME/models`, or `~/.keras/models`."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"


def find_imagenet_weights(backbone: Backbone, image_size: tuple[int, int], options: Mapping[str, Any]) -> Path:
    """Return the ImageNet weights of a backbone as a local file.

    If it is not in the cache of Keras, Keras downloads it, or it is converted from an installed package.

    Args:
        backbone: The backbone.
        image_size: (height, width) of the images; some architectures have one file per size.
        options: Options of the backbone, for example `{"alpha": 0.25}`.

    Returns:
        Path of the file.

    Raises:
        WeightsError: If there are no such weights, or they cannot be downloaded. The message names the file, its
            address, the folder for it, and the argument that takes a path.
    """
    if backbone.pretrained is None:
        obtain = f" To obtain its weights: {backbone.obtain}" if backbone.obtain else ""
        raise WeightsError(
            f"There are no ImageNet weights for the backbone {backbone.name!r}. Pass weights=None for random initial "
            f"weights, or weights=<path of a weight file>.{obtain}"
        )
    file = backbone.pretrained(image_size, options)
    if isinstance(file, PackagedWeights):
        return find_packaged_weights(backbone, file, options, weights_folder())
    cached = weights_folder() / file.name
    if cached.is_file():
        _check_digest(cached, file)
        return cached
    import keras

    try:
        with _socket_timeout():
            fetched = keras.utils.get_file(
                file.name,
                file.url,
                cache_subdir="models",
                cache_dir=str(weights_folder().parent),
                file_hash=file.digest,
            )
    # Keras raises a bare Exception when it cannot reach the address.
    except Exception as error:
        raise WeightsError(
            f"The ImageNet weights of {backbone.name!r} could not be downloaded ({error}). Without a network, download "
            f"{file.url} on another machine, and either copy the file to {cached}, or pass its path as "
            f"weights='<folder>/{file.url.rsplit('/', 1)[-1]}'. weights=None means random initial weights."
        ) from error
    return Path(fetched)


def load_weights(backbone: Backbone, model: Any, path: str | os.PathLike[str]) -> None:
    """Load a weight file into the model that `backbone.factory` returned.

    Args:
        backbone: The backbone.
        model: The `keras.Model`. After an error some of its weights may have been loaded.
        path: A file in one of the formats of Keras, without classification layers; for a backbone with
            `load_checkpoint` also one of the formats of other frameworks.

    Raises:
        WeightsError: If the file is missing or damaged, or belongs to another architecture or other options.
    """
    file = find_weights_file(backbone, path)
    if backbone.restriction:
        warnings.warn(
            f"The published weights of {backbone.name!r} have the licence {backbone.licence}: {backbone.restriction}",
            LicenceWarning,
            stacklevel=3,
        )
    if backbone.load_checkpoint is not None and file.name.lower().endswith((*TENSOR_SUFFIXES, INDEX_SUFFIX)):
        backbone.load_checkpoint(model, file)
    else:
        _load_keras(backbone, model, file)
    if backbone.after_loading is not None:
        backbone.after_loading(model)


def find_weights_file(backbone: Backbone, path: str | os.PathLike[str]) -> Path:
    """Return the file of weights that a path names: itself, or the one in a folder of Hugging Face.

    Raises:
        WeightsError: If there is none, or its name ends otherwise than those that the backbone takes.
    """
    file = Path(path).expanduser()
    suffixes: tuple[str, ...] = _SUFFIXES
    if backbone.load_checkpoint is not None:
        suffixes = (*_SUFFIXES, *TENSOR_SUFFIXES, INDEX_SUFFIX)
        if file.is_dir():
            file = find_tensor_file(file)
    if not file.is_file():
        found = "a folder" if file.is_dir() else "nothing"
        raise WeightsError(f"weights={str(path)!r}: expected a weight file; found {found}.")
    if not file.name.lower().endswith(suffixes):
        raise WeightsError(f"weights={str(path)!r}: expected a weight file, whose name ends in {', '.join(suffixes)}.")
    return file


def _load_keras(backbone: Backbone, model: Any, file: Path) -> None:
    try:
        with warnings.catch_warnings():
            # Keras only warns here, but the layers concerned would keep random weights.
            warnings.filterwarnings("error", message="Skipping nested container")
            model.load_weights(str(file))
    # h5py and Keras raise OSError, ValueError, KeyError, TypeError and others for a file of another architecture.
    except Exception as error:
        raise WeightsError(
            f"The file {file} does not match the backbone {backbone.name!r} of {model.count_params():,} parameters: "
            f"{_first_sentences(error)} Expected undamaged weights of this architecture with the same options "
            f"({', '.join(backbone.options) or 'it has none'}), without the classification layers (such files are "
            "often called 'notop' or 'no_top')."
        ) from error


def _check_digest(path: Path, file: WeightsFile) -> None:
    if file.digest is None:
        return
    algorithm = "md5" if len(file.digest) == 32 else "sha256"
    found = hash_file(path, algorithm)
    if found != file.digest:
        raise WeightsError(
            f"{path} is damaged or is not the published file: its {algorithm} is {found}; expected {file.digest}. "
            f"Delete it and download it again from {file.url}, or pass weights='{path}' if it differs on purpose."
        )


@contextmanager
def _socket_timeout() -> Iterator[None]:
    # Keras sets no time limit: behind a firewall that drops packets its download would wait for minutes.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _first_sentences(error: Exception, limit: int = 300) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    text = text if len(text) <= limit else f"{text[:limit].rsplit(' ', 1)[0]} ..."
    return text if text.endswith((".", "...")) else f"{text}."
