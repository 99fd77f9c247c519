"""The frozen part of a model and its head."""

from __future__ import annotations

import keras

from breastcls.models.anatomy import split_model


def split_frozen(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Split a model into its frozen part, ready to compute features, and its head; both share the model's weights."""
    features, head = split_model(model)
    # Without compiling, every batch would be run step by step; by XLA it would be slower on a processor.
    features.compile(jit_compile=False)
    return features, head
