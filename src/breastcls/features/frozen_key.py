"""By what features are known: everything of a frozen part that decides what it gives for an image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

# What a configuration says that changes no output at inference: how weights began and learn, how it was built.
_IDLE = frozenset(("trainable", "seed", "build_config", "registered_name", "dtype", "name"))
_IDLE_ENDINGS = ("_initializer", "_regularizer", "_constraint")


def hash_frozen(frozen: keras.Model) -> str:
    """Return a SHA-256, in hexadecimal, of the architecture of a model and of every byte of its weights.

    Names that Keras counts up (`conv2d_7`), initialisers and the precision of computing play no part: the same network
    built twice in one process has one key, and another checkpoint has another.

    Args:
        frozen: A functional model; its layers must be able to say how they were made (`get_config`).
    """
    digest = hashlib.sha256(json.dumps(_architecture(frozen), sort_keys=True, default=repr).encode())
    for weight in frozen.weights:
        values = np.ascontiguousarray(weight.numpy())
        digest.update(f"{values.shape}{values.dtype}".encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _architecture(frozen: keras.Model) -> Any:
    config = keras.saving.serialize_keras_object(frozen)
    numbers = {name: f"layer {number}" for number, name in enumerate(dict.fromkeys(_names(config)))}
    return _plain(config, numbers)


def _names(node: Any) -> Iterator[str]:
    """Yield the names of all layers, in the order of the configuration."""
    if isinstance(node, dict):
        inner = node.get("config")
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            yield inner["name"]
        for value in node.values():
            yield from _names(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _names(value)


def _plain(node: Any, numbers: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            key: _plain(value, numbers)
            for key, value in node.items()
            if key not in _IDLE and not key.endswith(_IDLE_ENDINGS)
        }
    if isinstance(node, list | tuple):
        return [_plain(value, numbers) for value in node]
    # A connection names the layer it comes from.
    return numbers.get(node, node) if isinstance(node, str) else node
