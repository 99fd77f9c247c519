"""Optimizers, losses and schedules of Keras as JSON, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from breastcls.errors import TrainingError


def object_to_dict(value: Any) -> dict[str, Any]:
    """Return an object of Keras as JSON types, by its `get_config`.

    Args:
        value: An optimizer, a loss or a learning-rate schedule.

    Raises:
        TrainingError: If its configuration cannot be written as JSON.

    Example:
        >>> object_to_dict(keras.losses.CategoricalCrossentropy(label_smoothing=0.1))["config"]["label_smoothing"]
        0.1
    """
    try:
        config: dict[str, Any] = json.loads(json.dumps(keras.saving.serialize_keras_object(value)))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise TrainingError(
            f"The configuration of {value!r} cannot be written as JSON ({error}). Its get_config has to return "
            "numbers, text, lists, dictionaries and objects of Keras only."
        ) from error
    return config


def object_from_dict(config: Mapping[str, Any]) -> Any:
    """Make an object from what `object_to_dict` returned.

    Only classes of Keras and registered ones are made, so that a record from elsewhere imports nothing.

    Raises:
        TrainingError: If a class is not known, or the object cannot be made.
    """
    if names := unregistered_classes(config):
        raise TrainingError(
            f"The record names {', '.join(names)}, which Keras does not know. Import the module whose classes are "
            "decorated with @keras.saving.register_keras_serializable() first."
        )
    try:
        return keras.saving.deserialize_keras_object(dict(config))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise TrainingError(f"{config.get('class_name')!r} cannot be made from the record: {error}") from error


def unregistered_classes(config: Any) -> list[str]:
    """Return the names of the classes in a configuration that are neither of Keras nor registered with it."""
    return list(dict.fromkeys(_unregistered(config)))


def without_names(config: Any) -> Any:
    """Return a configuration without the names of its objects, which Keras may count up and which change nothing."""
    if isinstance(config, Mapping) and isinstance(config.get("config"), Mapping) and "class_name" in config:
        inner = {key: without_names(value) for key, value in config["config"].items() if key != "name"}
        return {**config, "config": inner}
    return config


def _unregistered(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if "class_name" in node:
            module, registered = str(node.get("module")), node.get("registered_name")
            of_keras = module == "keras" or module.startswith("keras.")
            if not of_keras and (not registered or keras.saving.get_registered_object(registered) is None):
                yield f"{module}.{node['class_name']}"
        for value in node.values():
            yield from _unregistered(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _unregistered(value)
