"""In which numbers a network computes while it learns; its weights are float32 always."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras

from breastcls.models.card import get_card

# Families that gain from bfloat16 on processors with AVX512-BF16; depthwise convolutions get slower by it.
_GAINING = ("vgg", "resnet")
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def choose_precision(precision: str, model: keras.Model) -> str:
    """Decide what "auto" means here.

    Args:
        precision: "auto", "float32", "bfloat16" or "float16".
        model: The model; the family of its backbone decides on a processor.

    Returns:
        What was asked for. For "auto" on a GPU "bfloat16", on a processor that computes in bfloat16 the same for
        families that gain from it (VGG and ResNet), "float32" otherwise.
    """
    if precision != "auto":
        return precision
    if has_gpu():
        return "bfloat16"
    card = get_card(model)
    backbone = "" if card is None or card.backbone is None else card.backbone
    return "bfloat16" if backbone.startswith(_GAINING) and "avx512_bf16" in processor_flags() else "float32"


def has_gpu() -> bool:
    """Tell whether Keras sees a GPU."""
    return bool(keras.distribution.list_devices("gpu"))


def processor_flags(path: str = "/proc/cpuinfo") -> frozenset[str]:
    """Return what the processor can do, as Linux lists it; nothing on other systems."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), []))


@contextmanager
def computing_in(model: keras.Model, precision: str) -> Iterator[None]:
    """Within the block the layers of a model compute in another precision; their weights stay as they are.

    The layer that gives the probabilities, the last one, stays in float32.

    Args:
        model: The model.
        precision: "float32", "bfloat16" or "float16".
    """
    if precision == "float32":
        yield
        return
    policy = _POLICIES[precision]
    layers = [layer for layer in model._flatten_layers(include_self=False) if layer is not model.layers[-1]]
    before = [layer.dtype_policy for layer in layers]
    model_before = model.dtype_policy
    try:
        # The policy of the model itself is what Keras goes by when it decides to scale the loss.
        model.dtype_policy = policy
        for layer in layers:
            layer.dtype_policy = policy
        _forget_functions(model)
        yield
    finally:
        model.dtype_policy = model_before
        for layer, old in zip(layers, before, strict=True):
            layer.dtype_policy = old
        _forget_functions(model)


def _forget_functions(model: keras.Model) -> None:
    # They were traced in the old precision.
    model.train_function = model.test_function = model.predict_function = None
