"""The key of a frozen model: everything that determines its output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

# Parts of a configuration that do not change the output in inference: initialisation, training, building.
_IDLE = frozenset(("trainable", "seed", "build_config", "registered_name", "dtype", "name"))
_IDLE_ENDINGS = ("_initializer", "_regularizer", "_constraint")


def hash_frozen(frozen: keras.Model) -> str:
    """Return a SHA-256, in hexadecimal, of the architecture of a model and of every byte of its weights.

    Names with a counter of Keras (`conv2d_7`), initialisers and the precision have no effect: the same network built
    twice in one process has one key, and another checkpoint has another key.

    Args:
        frozen: A functional model; its layers need `get_config`.
    """
    digest = hashlib.sha256(json.dumps(_architecture(frozen), sort_keys=True, default=repr).encode())
    for weight in frozen.weights:
        values = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
        digest.update(f"{values.shape}{values.dtype}".encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _architecture(frozen: keras.Model) -> Any:
    config = keras.saving.serialize_keras_object(frozen)
    numbers = {name: f"layer {number}" for number, name in enumerate(dict.fromkeys(_names(config)))}
    return _without_idle(config, numbers)


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


def _without_idle(node: Any, numbers: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            key: _without_idle(value, numbers)
            for key, value in node.items()
            if key not in _IDLE and not key.endswith(_IDLE_ENDINGS)
        }
    if isinstance(node, list | tuple):
        return [_without_idle(value, numbers) for value in node]
    # A connection contains the name of its layer.
    return numbers.get(node, node) if isinstance(node, str) else node
