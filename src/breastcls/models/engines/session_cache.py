"""The sessions of other engines that are open for a Keras model, so that its next prediction need not open them."""

from __future__ import annotations

from threading import Lock
from typing import Any

import keras

from breastcls.models.engines.converted_network import open_converted
from breastcls.models.engines.engine_registry import Engine
from breastcls.models.engines.session import Session
from breastcls.models.keras_internals import flatten_layers
from breastcls.models.weight_hash import hash_weights

_ATTRIBUTE = "breastcls_sessions"


class OpenSessions:
    """The open sessions of one model by the name of the engine, each with what identifies the state of the model."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, Session]] = {}
        self._lock = Lock()

    def get(self, model: keras.Model, engine: Engine) -> Session:
        """Return the session of an engine for the weights that the model has now.

        Raises:
            ModelError: If the model cannot be converted, or its outputs differ from those of Keras.
        """
        policies = ",".join(layer.dtype_policy.name for layer in flatten_layers(model))
        with self._lock:
            state = hash_weights(model) + policies
            known = self._open.get(engine.name)
            if known is None or known[0] != state:
                known = self._open[engine.name] = (state, open_converted(model, engine))
            return known[1]

    def __deepcopy__(self, memo: dict[int, Any]) -> OpenSessions:
        return OpenSessions()


def find_session(model: keras.Model, engine: Engine) -> Session:
    """Return an open session of a model, which lives as long as the model.

    Args:
        model: The model.
        engine: The engine.

    Raises:
        ModelError: If the model cannot be converted, or its outputs differ from those of Keras.
    """
    held = getattr(model, _ATTRIBUTE, None)
    if not isinstance(held, OpenSessions):
        held = OpenSessions()
        setattr(model, _ATTRIBUTE, held)
    return held.get(model, engine)
