"""A Keras model converted for another engine: compared with Keras once, and stored in the cache folder.

A stored network is used for the same architecture, weights and versions only; it can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.errors import ModelError, ModelWarning
from breastcls.files import hash_file, write_json
from breastcls.images.image_cache import ENGINES_FOLDER, cache_folder
from breastcls.images.locking import hold_lock
from breastcls.models.engines.comparison_images import make_comparison_images
from breastcls.models.engines.engine_packages import find_version
from breastcls.models.engines.engine_registry import Engine
from breastcls.models.engines.session import Session
from breastcls.models.engines.tensorflow_export import export_network
from breastcls.models.frozen_key import hash_frozen
from breastcls.models.keras_export import prepare_export
from breastcls.models.keras_internals import flatten_layers, is_functional

TOLERANCE = 1e-4
"""The largest difference between an output of an engine and that of Keras, for features relative to their norm."""

_CHECK = "check.json"
# The side of the images of the check, for a model that takes any size.
_ANY_SIDE = 128
_KNOWN_PACKAGES = ("keras", "breastcls")


def open_converted(model: keras.Model, engine: Engine, *, relative: bool = False) -> Session:
    """Return a session of another engine with the network of a Keras model, as the model is now.

    Args:
        model: A model with one input of images and one output (n, classes).
        engine: The engine; its packages are installed.
        relative: Whether differences are divided by the norm of the outputs of an image, for features, which are not
            bounded as probabilities are.

    Raises:
        ModelError: If the model cannot be converted, or an output differs from that of Keras by more than `TOLERANCE`.
    """
    folder = (
        cache_folder() / ENGINES_FOLDER / f"{engine.name}-{_key(model, engine, relative)}"
        if _is_storable(model)
        else None
    )
    if folder is not None:
        stored = _open_stored(folder, engine)
        if stored is not None:
            return stored
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with hold_lock(folder / "lock"):
                # Another process may have converted the model while this one waited.
                return _open_stored(folder, engine) or _convert(model, engine, folder, relative)
        except OSError as error:
            warnings.warn(
                f"The network for {engine.name} cannot be stored in {folder}: {error.strerror or error}. It is "
                "converted again in each process. Set BREASTCLS_CACHE to a folder with write permission.",
                ModelWarning,
                stacklevel=3,
            )
    return _convert_for_session(model, engine, relative)


def measure_difference(expected: npt.NDArray[Any], outputs: npt.NDArray[Any], relative: bool) -> float:
    """Return the largest difference between outputs (n, outputs); infinity where one is not a finite number.

    Args:
        expected: The outputs of Keras.
        outputs: Those of the engine.
        relative: Whether the result is the norm of the difference over that of the outputs, else the absolute one.
    """
    difference = np.abs(expected.astype(np.float64) - outputs)
    if relative:
        lengths = np.linalg.norm(expected.astype(np.float64), axis=1)
        difference = np.linalg.norm(difference, axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    return float(difference.max()) if np.isfinite(difference).all() else float("inf")


def _key(model: keras.Model, engine: Engine, relative: bool) -> str:
    """Return a name for everything that a converted network depends on."""
    policies = [layer.dtype_policy.name for layer in flatten_layers(model)]
    versions = [find_version(name) for name in ("keras", *engine.packages)]
    texts = [hash_frozen(model), str(model.input_shape), str(relative), *policies, keras.backend.backend(), *versions]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:32]


def _is_storable(model: keras.Model) -> bool:
    """Return whether the configuration of the layers determines what they compute.

    The code of other layers is not part of it, and may have changed since.
    """
    parts = flatten_layers(model)
    models = [part for part in parts if isinstance(part, keras.Model)]
    # A Sequential model runs its functional counterpart.
    known = all(is_functional(part) or type(part) is keras.Sequential for part in models)
    return known and all(type(part).__module__.split(".")[0] in _KNOWN_PACKAGES for part in parts)


def _open_stored(folder: Path, engine: Engine) -> Session | None:
    """Return the stored network, or None if there is none or a file is damaged.

    Raises:
        ModelError: If it is recorded that the model cannot be converted.
    """
    try:
        record = json.loads((folder / _CHECK).read_text(encoding="utf-8"))
        error, files = record["error"], record["files"]
        if any(hash_file(folder / name) != digest for name, digest in files.items()):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if error is not None:
        raise ModelError(str(error))
    return engine.open_file(folder / f"network{engine.suffix}")


def _convert(model: keras.Model, engine: Engine, folder: Path, relative: bool) -> Session:
    """Convert a model, compare it with Keras, and store the network and the result of the comparison."""
    error: str | None = None
    height, width = (_ANY_SIDE if side is None else int(side) for side in model.input_shape[1:3])
    images = make_comparison_images(height, width)
    # Before the export, because Keras exports only models that were called.
    expected = keras.ops.convert_to_numpy(model(images.astype(np.float32), training=False))
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder, ignore_cleanup_errors=True) as new:
        try:
            engine.load()
            with prepare_export(
                model, engine.export_format, f"The model {model.name!r} cannot be converted for {engine.name}"
            ):
                export_network(model, Path(new) / f"network{engine.suffix}", engine.export_format)
            names = sorted(os.listdir(new))
            for name in names:
                os.replace(Path(new) / name, folder / name)
        except ModelError as found:
            error = str(found)
    if error is None:
        session = engine.open_file(folder / f"network{engine.suffix}")
        difference = measure_difference(expected, session.run(images), relative)
        if difference <= TOLERANCE:
            files = {name: hash_file(folder / name) for name in names}
            write_json({"error": None, "largest_difference": difference, "files": files}, folder / _CHECK)
            return session
        session.close()
        error = (
            f"The outputs of {engine.name} differ from those of Keras by up to {difference:.2g}; at most {TOLERANCE:g} "
            "is accepted."
        )
    write_json({"error": error, "files": {}}, folder / _CHECK)
    raise ModelError(error)


def _convert_for_session(model: keras.Model, engine: Engine, relative: bool) -> Session:
    """Convert a model into a temporary folder that exists as long as the session."""
    try:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="breastcls-", ignore_cleanup_errors=True))
            session = _convert(model, engine, Path(folder), relative)
            # The engine may read weights from the file for as long as it is open.
            weakref.finalize(session, stack.pop_all().close)
            return session
    except OSError as error:
        raise ModelError(
            f"The network for {engine.name} cannot be written to {tempfile.gettempdir()}: {error.strerror or error}. "
            "Free space there, or set TMPDIR to another folder."
        ) from error
