"""Numerical precision of training: float32, bfloat16 or float16. Weights are always float32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras

from breastcls.models.keras_internals import flatten_layers, forget_functions
from breastcls.models.model_card import get_card
from breastcls.models.output_layer import ends_in_softmax
from breastcls.models.spatial_moments import SpatialMoments
from breastcls.models.stain_separation import StainSeparation

# Families that gain from bfloat16 on processors with AVX512-BF16; depthwise convolutions get slower by it.
_FASTER_IN_BFLOAT16 = ("vgg", "resnet")
# These layers scale values of 0..255 or sum over thousands of positions, for which bfloat16 is too coarse: 251.3 and
# 251.9 are the same number. In float32 they take little time.
_EXACT = (keras.layers.Rescaling, keras.layers.Normalization, SpatialMoments, StainSeparation)
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
"""The Keras dtype policy of each precision."""


def choose_precision(precision: str, model: keras.Model) -> str:
    """Return the precision for a model and this machine.

    Args:
        precision: "auto", "float32", "bfloat16" or "float16".
        model: The model.

    Returns:
        `precision`, or for "auto": the precision in which the model was built, if that is half precision; "bfloat16" on
        a GPU, and on a processor with bfloat16 instructions for the backbones that are faster with it (VGG and ResNet);
        "float32" otherwise.
    """
    if precision != "auto":
        return precision
    if model.dtype_policy.compute_dtype in ("bfloat16", "float16"):
        return str(model.dtype_policy.compute_dtype)
    if has_gpu():
        return "bfloat16"
    card = get_card(model)
    backbone = "" if card is None or card.backbone is None else card.backbone
    return "bfloat16" if backbone.startswith(_FASTER_IN_BFLOAT16) and has_bfloat16_kernels() else "float32"


def has_gpu() -> bool:
    """Return whether Keras has a GPU."""
    if keras.backend.backend() == "torch":
        # Keras has no list of devices for PyTorch.
        import torch

        return bool(torch.cuda.is_available())
    try:
        return bool(keras.distribution.list_devices("gpu"))
    except RuntimeError:
        # JAX raises an error for a kind of device that it does not have.
        return False


def has_bfloat16_kernels() -> bool:
    """Return whether the backend has kernels for the bfloat16 instructions of this processor; oneDNN in TensorFlow."""
    return keras.backend.backend() == "tensorflow" and "avx512_bf16" in processor_flags()


def processor_flags(path: str = "/proc/cpuinfo") -> frozenset[str]:
    """Return the instruction sets of the processor as Linux lists them; nothing on other systems."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), []))


@contextmanager
def use_precision(model: keras.Model, precision: str) -> Iterator[None]:
    """Set the precision in which the layers of a model compute, within a block. The weights are not changed.

    In half precision three kinds of layers keep the precision in which they were built: those that were built in
    another precision than the model; those that prepare the images (scaling, stain separation) or sum over all
    positions (`SpatialMoments`); and the layers from the last one with weights to the output: logits and probabilities.

    Args:
        model: The model.
        precision: "float32", "bfloat16" or "float16".
    """
    policy = POLICIES[precision]
    if model.dtype_policy.name == policy:
        yield
        return
    kept = _kept_layers(model) if policy != "float32" else ()
    layers = [layer for layer in flatten_layers(model, include_self=False) if id(layer) not in kept]
    try:
        # The policy of the model itself decides whether Keras scales the loss.
        with switch_policies([model, *layers], precision):
            forget_functions(model)
            yield
    finally:
        forget_functions(model)


@contextmanager
def switch_policies(layers: Sequence[keras.Layer], precision: str) -> Iterator[None]:
    """Within the block the given layers compute in another precision; their weights do not change.

    Args:
        layers: Layers and models, each for itself: layers inside a model are not included.
        precision: "float32", "bfloat16" or "float16".
    """
    before = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer.dtype_policy = POLICIES[precision]
        yield
    finally:
        for layer, policy in zip(layers, before, strict=True):
            layer.dtype_policy = policy


def _kept_layers(model: keras.Model) -> set[int]:
    """Return the identities of the layers that keep their precision."""
    own = model.dtype_policy.name
    layers = flatten_layers(model, include_self=False)
    kept = {id(layer) for layer in layers if isinstance(layer, _EXACT) or layer.dtype_policy.name != own}
    kept.add(id(model.layers[-1]))
    # The members of an ensemble are classifiers too.
    for part in [model, *(layer for layer in layers if isinstance(layer, keras.Model) and ends_in_softmax(layer))]:
        weighted = [place for place, layer in enumerate(part.layers) if layer.weights]
        if not weighted:
            continue
        first, last = weighted[0], weighted[-1]
        if isinstance(part.layers[last], keras.Model):
            last += 1
        kept |= {id(layer) for layer in (*part.layers[:first], *part.layers[last:])}
    return kept
