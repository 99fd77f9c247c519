"""A copy of a model on every device of a `tf.distribute` strategy, trained as on one device."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from breastcls.training.distribution.model_copies import copy_model


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

    return copy_model(model, strategy.scope(), copy_layer)
