"""The configuration of a model that Keras 2 saved, as Keras 3 reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# Arguments that Keras 3 does not have, with the values under which leaving them out changes nothing.
_REMOVED: Mapping[str, Callable[[Any], bool]] = {
    "groups": lambda value: value == 1,
    "rng_type": lambda value: True,
    "implementation": lambda value: True,
    "fused": lambda value: True,
    "renorm": lambda value: not value,
    "renorm_clipping": lambda value: value is None,
    "renorm_momentum": lambda value: True,
    "virtual_batch_size": lambda value: value is None,
    "adjustment": lambda value: value is None,
    "ragged": lambda value: not value,
}
# Keras 2 wrote the arguments of the base class of these layers, which have kernels of other names.
_SEPARATE = ("SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D")
_OF_BASE = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")
_WITH_GROUPS = ("Conv1D", "Conv2D", "Conv3D", "GroupNormalization")
# Operations of TensorFlow on the input as a scaling, from their constant.
_SCALINGS: Mapping[str, Callable[[float], dict[str, float]]] = {
    "math.truediv": lambda value: {"scale": 1 / value, "offset": 0.0},
    "math.divide": lambda value: {"scale": 1 / value, "offset": 0.0},
    "math.multiply": lambda value: {"scale": value, "offset": 0.0},
    "math.subtract": lambda value: {"scale": 1.0, "offset": -value},
    "math.add": lambda value: {"scale": 1.0, "offset": value},
    "__operators__.add": lambda value: {"scale": 1.0, "offset": value},
}


def translate_keras_2(config: Any) -> Any:
    """Return a configuration of Keras 2 as Keras 3 reads it; what needs no change is returned as it is.

    Arguments that Keras 3 does not know are left out where that changes nothing; lists with the one axis of batch
    normalisation become a number; nested models with one output return a tensor instead of a list; and operations with
    a constant, such as those of `preprocess_input` in a graph, become `Rescaling` layers.

    Args:
        config: The JSON values of `model_config`.

    Example:
        >>> translate_keras_2({"class_name": "BatchNormalization", "config": {"axis": [3]}})["config"]
        {'axis': 3}
    """
    if isinstance(config, list):
        return [translate_keras_2(value) for value in config]
    if not isinstance(config, Mapping):
        return config
    node = {key: translate_keras_2(value) for key, value in config.items()}
    own = node.get("config")
    if isinstance(node.get("class_name"), str) and isinstance(own, dict):
        node["config"] = _translate_arguments(node["class_name"], own)
        if node["class_name"] == "TFOpLambda":
            return _as_rescaling(node)
    return node


def _translate_arguments(kind: str, own: dict[str, Any]) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in own.items()
        if name not in _REMOVED or (name == "groups" and kind in _WITH_GROUPS) or not _REMOVED[name](value)
    }
    if kind in _SEPARATE:
        kept = {name: value for name, value in kept.items() if name not in _OF_BASE}
    if kind == "BatchNormalization" and isinstance(kept.get("axis"), list) and len(kept["axis"]) == 1:
        kept["axis"] = kept["axis"][0]
    if kind in ("Functional", "Model"):
        for name in ("input_layers", "output_layers"):
            ports = kept.get(name)
            if isinstance(ports, list) and len(ports) == 1 and isinstance(ports[0], list):
                kept[name] = ports[0]
    return kept


def _as_rescaling(node: dict[str, Any]) -> dict[str, Any]:
    """Return an operation with one constant as a layer; any other as it is, which Keras then refuses."""
    scaling = _SCALINGS.get(str(node["config"].get("function")))
    inbound = node.get("inbound_nodes")
    if scaling is None or not isinstance(inbound, list) or len(inbound) != 1:
        return node
    call = inbound[0][0] if inbound[0] and isinstance(inbound[0][0], list) else inbound[0]
    arguments = call[3] if isinstance(call, list) and len(call) == 4 else None
    if not isinstance(arguments, dict) or set(arguments) - {"y", "name"}:
        return node
    value = arguments.get("y")
    if isinstance(value, bool) or not isinstance(value, int | float) or value == 0:
        return node
    name = str(node["config"].get("name", node.get("name"))).replace(".", "_")
    return {
        **node,
        "class_name": "Rescaling",
        "config": {"name": name, "dtype": "float32", **scaling(float(value))},
        "inbound_nodes": [[[*call[:3], {}]]],
    }
