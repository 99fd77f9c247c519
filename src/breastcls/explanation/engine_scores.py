"""Class scores by another engine than Keras, for methods that run a model on many perturbed images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from breastcls.errors import ExplanationError
from breastcls.models.engines.choose_engine import AUTO, KERAS, check_engine, open_runner
from breastcls.models.engines.session import Session
from breastcls.models.keras_internals import is_functional
from breastcls.models.output_layer import activation_of


def open_score_session(model: Any, engine: str | None, keep: Callable[[str, Callable[[], Any]], Any]) -> Session | None:
    """Return a session that computes the logits of a model, or None where Keras computes them.

    Args:
        model: A Keras model.
        engine: As in `predict`.
        keep: Returns what is kept with the model under a name, see `ScoredModel.keep`: the network of the logits, whose
            session stays open as long as the weights are the same.

    Raises:
        ExplanationError: If the last layer of the model is not a softmax.
        ModelError: If the engine is not installed or cannot run the model.
        RegistryError: If there is no such engine.
    """
    check_engine(engine)
    if engine in (None, KERAS):
        return None
    network = keep("network of the logits", lambda: _cut_softmax(model))
    if network is None:
        if engine == AUTO:
            return None
        raise ExplanationError(
            f"engine={engine!r} computes the scores of models whose last layer is a softmax; {model.name!r} ends "
            "otherwise. Omit `engine`."
        )
    if isinstance(model.layers[-1], keras.layers.Dense):
        network.layers[-1].set_weights(model.layers[-1].get_weights())
    runner = open_runner(network, engine)
    return runner if isinstance(runner, Session) and runner.engine != KERAS else None


def _cut_softmax(model: Any) -> keras.Model | None:
    last = model.layers[-1] if is_functional(model) else None
    if last is None or activation_of(last) != "softmax" or last.output is not model.outputs[0]:
        return None
    if not isinstance(last, keras.layers.Dense):
        return keras.Model(model.inputs[0], last.input)
    # A layer of its own, so that its weights are among those by which a converted network is found.
    linear = keras.layers.Dense(last.units, use_bias=last.use_bias, dtype=last.dtype_policy)
    return keras.Model(model.inputs[0], linear(last.input))
