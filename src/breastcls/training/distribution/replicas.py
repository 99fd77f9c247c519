"""A copy of a model on every device of a strategy, trained as on one device."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from breastcls.errors import TrainingError
from breastcls.models.keras_internals import find_seed_generators, flatten_layers
from breastcls.models.model_card import get_card, set_card


@keras.saving.register_keras_serializable(package="breastcls")
class ShardedDropout(keras.layers.Dropout):  # type: ignore[misc]  # Keras ships no types
    """Dropout that drops on several devices what one device would drop in the whole batch.

    Every device draws for all images and uses its own part; otherwise all of them would drop the same units.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the inputs, some of them dropped while training."""
        context = tf.distribute.get_replica_context()
        if not training or self.rate == 0 or context is None or context.num_replicas_in_sync == 1:
            return super().call(inputs, training=training)
        actual = tf.shape(inputs)
        asked = self.noise_shape or (None,) * len(inputs.shape)
        shape = [actual[axis] if length is None else length for axis, length in enumerate(asked)]
        own = shape[0]
        if asked[0] is None:
            shape[0] = own * context.num_replicas_in_sync
        kept = keras.random.dropout(tf.ones(tf.stack(shape), inputs.dtype), self.rate, seed=self.seed_generator)
        if asked[0] is None:
            kept = kept[context.replica_id_in_sync_group * own :][:own]
        return inputs * kept


def copy_into(strategy: Any, model: keras.Model) -> keras.Model:
    """Return a copy of a model on all devices of a strategy; the model itself is not changed.

    Raises:
        TrainingError: If Keras cannot copy the model.
    """

    def copy_layer(layer: Any) -> Any:
        kind = ShardedDropout if type(layer) is keras.layers.Dropout else type(layer)
        return kind.from_config(layer.get_config())

    # Initial values are drawn and replaced at once; the state of the caller's random numbers is restored.
    drawn = random.getstate()
    try:
        with strategy.scope():
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
