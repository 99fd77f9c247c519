"""Low-rank adapters (LoRA) of Keras in the backbone of a model, and their merging into ordinary weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from breastcls.errors import ModelError
from breastcls.models.keras_internals import flatten_layers, forget_functions, remove_lora, without_lora
from breastcls.models.model_parts import find_backbone


@dataclass(frozen=True)
class Adapters:
    """Adapters in the backbone of a model.

    Args:
        layers: The layers that have one.
        frozen: The weights that were frozen when they were added.
    """

    layers: tuple[Any, ...]
    frozen: tuple[Any, ...]


def add_lora(model: keras.Model, rank: int, alpha: float | None = None, seed: int = 0) -> Adapters:
    """Add adapters to the trainable layers of the backbone, and freeze all other weights of the backbone.

    LoRA (Hu et al. 2022, DOI 10.48550/arXiv.2106.09685) trains, instead of a kernel W, the two factors of a matrix of
    low rank that is added to it: W + (alpha / rank) A B. B is zero at first, so that the outputs do not change.
    Adapters are those of Keras, on dense layers, `EinsumDense` and convolutions, at any depth: attention is computed by
    such layers. Depthwise and separable convolutions have none. Batch normalisation that is trainable stays so.

    Args:
        model: A model with a nested backbone, after `set_trainable`. Compile it afterwards.
        rank: Rank of the added matrices.
        alpha: Their factor, times the rank; None for the rank, which is a factor of 1.
        seed: Seed of the initial values of A.

    Returns:
        The adapters, for `merge_lora`.

    Raises:
        ModelError: If no trainable layer of the backbone can have an adapter, or one has an adapter already.
    """
    parts = flatten_layers(find_backbone(model))
    layers = [part for part in parts if _takes_adapter(part)]
    if not layers:
        raise ModelError(
            f"The backbone of {model.name!r} has no trainable layer that can have an adapter of LoRA; expected a dense "
            "layer, EinsumDense or a convolution among the trainable layers. Train more stages, or leave LoRA out."
        )
    if own := [layer.name for layer in layers if getattr(layer, "lora_enabled", False)]:
        raise ModelError(
            f"The layer {own[0]!r} of {model.name!r} has an adapter of LoRA already. Leave lora_rank out to train it, "
            "or save and load the model, which adds the adapters to the weights."
        )
    norms = [part for part in parts if isinstance(part, keras.layers.BatchNormalization)]
    kept = {id(weight) for part in norms for weight in part.weights}
    frozen = [weight for weight in find_backbone(model).trainable_weights if id(weight) not in kept]
    for weight in frozen:
        weight.trainable = False
    for number, layer in enumerate(layers):
        initial = keras.initializers.HeUniform(seed=seed + number)
        layer.enable_lora(rank, lora_alpha=alpha, a_initializer=initial)
    forget_functions(model)
    return Adapters(tuple(layers), tuple(frozen))


def merge_lora(model: keras.Model, adapters: Adapters) -> None:
    """Add the adapters to the kernels and remove them; the outputs stay the same.

    The same weights are trainable afterwards as before `add_lora`.

    Args:
        model: The model.
        adapters: From `add_lora`.
    """
    for layer in adapters.layers:
        remove_lora(layer)
    for weight in adapters.frozen:
        weight.trainable = True
    forget_functions(model)


@contextmanager
def merged_lora(model: keras.Model) -> Iterator[None]:
    """Within the block the adapters of a model, if any, are part of its kernels, as in an ordinary model."""
    layers = [layer for layer in flatten_layers(model) if getattr(layer, "lora_enabled", False)]
    with without_lora(layers):
        yield


def _takes_adapter(layer: Any) -> bool:
    return bool(callable(getattr(layer, "enable_lora", None)) and hasattr(layer, "kernel") and layer.trainable)
