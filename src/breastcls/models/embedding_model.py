"""A classifier of vectors, such as the embeddings of a foundation model."""

from __future__ import annotations

from typing import Any

import keras

from breastcls.errors import ModelError
from breastcls.models.heads import apply_head

EMBEDDINGS = "embeddings"
"""The name that `build_model` takes for a model of vectors in place of the name of a backbone."""

HEADS = ("linear", "mlp")


def apply_embedding_head(dimensions: Any, head: str, *, classes: int, dropout: float) -> tuple[Any, Any]:
    """Return the input float32 (n, d) and the probabilities (n, classes) of a model of vectors.

    The layer in the place of the backbone passes vectors on unchanged, so that the model has the same parts as one of
    images: its features are the vectors.

    Raises:
        ModelError: If the arguments are not valid.
    """
    if isinstance(dimensions, bool) or not isinstance(dimensions, int) or dimensions < 1:
        raise ModelError(
            f"build_model({EMBEDDINGS!r}) needs dimensions=, the number of components of the vectors, such as "
            f"data.vectors.shape[1]; found {dimensions!r}."
        )
    if head not in HEADS:
        raise ModelError(f"head={head!r}: a model of vectors has one of {', '.join(HEADS)}.")
    inputs = keras.Input((dimensions,), dtype="float32", name="vector")
    whole = keras.Input((dimensions,), dtype="float32")
    same = keras.Model(whole, keras.layers.Identity(dtype="float32", name="identity")(whole), name=EMBEDDINGS)
    return inputs, apply_head(same(inputs), head, classes=classes, dropout=dropout)
