"""Copies of a model with the same layers: made on other devices, and brought to the same state."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np

from breastcls.errors import TrainingError
from breastcls.models.keras_internals import find_seed_generators, flatten_layers
from breastcls.models.model_card import get_card, set_card


def copy_model(model: keras.Model, scope: AbstractContextManager[Any], copy_layer: Callable[[Any], Any]) -> keras.Model:
    """Return a copy of a model whose variables are created within a scope; the model itself is not changed.

    Args:
        model: The model.
        scope: The scope of a strategy.
        copy_layer: Returns the layer of the copy for a layer of the model.

    Raises:
        TrainingError: If Keras cannot copy the model.
    """
    # Initial values are drawn and replaced at once; the state of the caller's random numbers is restored.
    drawn = random.getstate()
    try:
        with scope:
            copy = keras.models.clone_model(model, clone_function=copy_layer, recursive=True)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise TrainingError(
            f"The model {model.name!r} cannot be copied to several devices: {error} Expected a functional or "
            "sequential model whose layers all have get_config, such as from build_model."
        ) from error
    finally:
        random.setstate(drawn)
    card = get_card(model)
    if card is not None:
        set_card(copy, card)
    copy_state(model, copy)
    return copy


def copy_state(source: keras.Model, target: keras.Model, weights: Sequence[np.ndarray] | None = None) -> None:
    """Copy weights, random state, precision and trainable flags to a model of the same layers.

    Args:
        source: The model to copy from.
        target: The model to copy to.
        weights: Weights to use in the place of those of `source`.
    """
    pairs = list(zip(flatten_layers(source), flatten_layers(target), strict=True))
    for one, other in pairs:
        # An outer layer comes first, since setting its flag sets those of all layers inside it.
        other.trainable = one.trainable
        if isinstance(one, keras.Model):
            other.dtype_policy = one.dtype_policy
    target.set_weights(source.get_weights() if weights is None else weights)
    for one, other in zip(find_seed_generators(source), find_seed_generators(target), strict=True):
        other.state.assign(keras.ops.convert_to_numpy(one.state))
