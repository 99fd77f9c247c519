"""`open_session`: the choice of the engine that runs a model."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import keras

from breastcls.errors import ModelError, ModelWarning
from breastcls.models.engines.converted_network import open_converted
from breastcls.models.engines.engine_registry import ENGINES, Engine
from breastcls.models.engines.keras_session import KerasSession
from breastcls.models.engines.session import BatchRunner, Session
from breastcls.models.engines.session_cache import find_session
from breastcls.models.forked_process import check_process
from breastcls.models.model_card import get_card, set_card
from breastcls.models.precision import has_gpu
from breastcls.models.vector_input import vector_size

KERAS, AUTO = "keras", "auto"
# The order in which "auto" looks for an engine that is installed.
_AUTO_ORDER = ("openvino", "onnxruntime")


def open_session(model: keras.Model, engine: str = AUTO) -> Session:
    """Open a Keras model for repeated forward passes, such as those of a service.

    Args:
        model: A `keras.Model` with one input of images and one output (n, classes).
        engine: `"keras"`. `"openvino"` or `"onnxruntime"`: the model is converted, compared with Keras and stored in
            the cache folder when it is used for the first time. `"auto"`: without a GPU the first of OpenVINO and
            ONNX Runtime that is installed; Keras with a GPU, without such an engine, or, with a warning, where the
            model cannot be converted or its outputs differ.

    Returns:
        The session, with the card of the model. That of another engine has the weights that the model has now: open a
        new one after a change. `run` gives the outputs of the network; `predict`, which takes a session too, applies
        the calibration and the threshold of the card.

    Raises:
        RegistryError: If there is no such engine.
        ModelError: If the engine is not installed, the model cannot be converted, or its outputs differ from those of
            Keras by more than 1e-4 on eight images.

    Warns:
        ModelWarning: If `"auto"` runs Keras because the model cannot be converted or its outputs differ.

    Example:
        >>> import numpy as np
        >>> from breastcls.models.building import build_model
        >>> model = build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> session = open_session(model, "keras")
        >>> session.run(np.zeros((1, 32, 32, 3), np.uint8)).shape
        (1, 2)
    """
    if not isinstance(model, keras.Model):
        raise ModelError(f"Expected a keras.Model; found {type(model).__name__}.")
    # Not one of the sessions that predictions share, since the caller may close it.
    runner = _choose(model, engine, open_converted)
    session = runner if isinstance(runner, Session) else KerasSession(model)
    card = get_card(model)
    if card is not None:
        set_card(session, card)
    return session


def open_runner(model: Any, engine: str | None = None) -> keras.Model | BatchRunner:
    """Return what `run_batches` takes: a Keras model itself for Keras, else a session.

    Args:
        model: A `keras.Model`, a session, or a model with a `session`, such as an exported file.
        engine: As in `open_session`; None is Keras. A session runs on its own engine only, which None and "auto" stand
            for.

    Raises:
        RegistryError: If there is no such engine.
        ModelError: As `open_session`, or if the model runs on another engine.
    """
    if not isinstance(model, keras.Model):
        check_process()
        check_engine(engine)
        return _take(model, engine)
    return _choose(model, engine, find_session)


def _choose(
    model: keras.Model, engine: str | None, open_engine: Callable[[keras.Model, Engine], Session]
) -> keras.Model | Session:
    check_process()
    check_engine(engine)
    if engine in (None, KERAS):
        return model
    if vector_size(model) is not None:
        if engine == AUTO:
            return model
        raise ModelError(
            f"engine={engine!r}: a model of vectors runs in Keras only. Leave engine out, or pass 'keras'."
        )
    if engine != AUTO:
        return open_engine(model, find_engine(str(engine)))
    name, reason = choose_automatically()
    if name != KERAS:
        try:
            return open_engine(model, ENGINES[name])
        except ModelError as error:
            reason = str(error)
            warnings.warn(f"engine='auto' runs Keras: {reason}", ModelWarning, stacklevel=4)
    session = KerasSession(model)
    session.note = reason
    return session


def find_engine(name: str) -> Engine:
    """Return a registered engine that is installed.

    Raises:
        RegistryError: If there is no such engine.
        ModelError: If it is not installed.
    """
    entry = ENGINES[name]
    if not entry.is_installed:
        raise ModelError(
            f"engine={name!r}: {' and '.join(entry.packages)} must be installed. Install them with: "
            f'pip install "breastcls[{entry.extra}]"'
        )
    return entry


def choose_automatically() -> tuple[str, str]:
    """Return the engine that "auto" stands for on this machine, and the reason where it is Keras."""
    if has_gpu():
        return KERAS, "there is a GPU"
    for name in _AUTO_ORDER:
        if ENGINES[name].is_installed:
            return name, ""
    return KERAS, "neither OpenVINO nor ONNX Runtime is installed"


def check_engine(engine: str | None) -> None:
    """Raise an error if there is no such engine.

    Raises:
        RegistryError: If `engine` is neither None nor `"keras"`, `"auto"` or the name of a registered engine.
    """
    if engine not in (None, KERAS, AUTO):
        ENGINES[str(engine)]


def _take(model: Any, engine: str | None) -> BatchRunner:
    own = getattr(getattr(model, "session", model), "engine", None)
    if own is None or not hasattr(model, "run_batches"):
        raise ModelError(f"Expected a keras.Model or the path of a model file; found {type(model).__name__}.")
    if engine not in (None, AUTO, own):
        raise ModelError(
            f"engine={engine!r}, but this model is a file that {own} runs. Omit `engine`, or give the Keras model."
        )
    return model  # type: ignore[no-any-return]
