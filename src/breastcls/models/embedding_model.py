"""A classifier of vectors, such as the embeddings of a foundation model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from breastcls.argument_checks import is_count
from breastcls.errors import ModelError
from breastcls.models.build_checks import check_head, check_seed, choose_dropout
from breastcls.models.heads import apply_head
from breastcls.models.initial_seed import seed_layers
from breastcls.models.model_card import ModelCard, check_classes, set_card

EMBEDDINGS = "embeddings"
"""The name that `build_model` takes for a model of vectors in place of the name of a backbone."""

HEADS = ("linear", "mlp")


def build_embedding_model(
    classes: Sequence[str],
    image_size: object,
    weights: object,
    head: str | None,
    dropout: float | None,
    seed: int | None,
    options: Mapping[str, Any],
) -> keras.Model:
    """Build a model of vectors; see `build_model`.

    Raises:
        ModelError: If an argument is not valid.
    """
    names, kind = check_classes(classes), head or "linear"
    if image_size is not None or weights not in ("default", None):
        raise ModelError("A model of vectors has no image_size and no pretrained weights; leave both out.")
    if unknown := sorted(set(options) - {"dimensions"}):
        raise ModelError(f"{unknown[0]!r} is no argument of build_model({EMBEDDINGS!r}); it takes dimensions=.")
    rate = choose_dropout(dropout, check_head(kind))
    seed = check_seed(seed)
    with seed_layers(seed if seed is None else seed + 1):
        inputs, outputs = _apply_embedding_head(options.get("dimensions"), kind, classes=len(names), dropout=rate)
    model = keras.Model(inputs, outputs, name=f"breastcls_{EMBEDDINGS}")
    card = ModelCard(
        classes=names,
        image_size=None,
        backbone=EMBEDDINGS,
        backbone_options=dict(options),
        head=kind,
        dropout=rate,
        seed=seed,
    )
    set_card(model, card)
    return model


def _apply_embedding_head(dimensions: Any, head: str, *, classes: int, dropout: float) -> tuple[Any, Any]:
    """Return the input float32 (n, d) and the probabilities (n, classes) of a model of vectors.

    The layer in the place of the backbone passes vectors on unchanged, so that the model has the same parts as one of
    images: its features are the vectors.

    Raises:
        ModelError: If the arguments are not valid.
    """
    if not is_count(dimensions):
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
