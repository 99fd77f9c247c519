"""Find the feature map for a class activation map, in models nested at any depth."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from breastcls.errors import ExplanationError
from breastcls.explanation.layer_graph import LayerGraph

_POOLING = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalAveragePooling2D,
)


@dataclass(frozen=True)
class FeatureMap:
    """One tensor (n, height, width, channels) inside a model.

    Attributes:
        slot: The number of the tensor in the `LayerGraph`.
        path: The layer that computes it, with the models that contain the layer: `"backbone/conv_pw_13_relu"`.
        shape: (height, width, channels).
    """

    slot: int
    path: str
    shape: tuple[int, int, int]


def measure_shapes(graph: LayerGraph, images: Any) -> dict[int, tuple[int, ...]]:
    """Return the shape of every tensor of a model, measured in one forward pass.

    The shapes that Keras recorded are not sufficient: a backbone built for any image size has none, even inside a model
    of a fixed size.
    """
    shapes: dict[int, tuple[int, ...]] = {}

    def record(slot: int, value: Any) -> Any:
        shapes[slot] = tuple(getattr(value, "shape", ()))
        return value

    graph.run(images, observe=record)
    return shapes


def find_feature_map(graph: LayerGraph, shapes: Mapping[int, tuple[int, ...]], layer: str | None = None) -> FeatureMap:
    """Find the feature map for class activation maps.

    Without a name it is the last tensor (n, height, width, channels) with more than one position that is computed after
    a convolution and is not the output of a pooling layer, because pooling only makes the map coarser.

    Args:
        graph: The layer calls of the model.
        shapes: The shape of each tensor, see `measure_shapes`.
        layer: Name of a layer, or its path where several layers have the same name. The name of a nested model
            selects its output.

    Raises:
        ExplanationError: If there is no such tensor or no such layer.
    """
    if layer is not None:
        return _find_named(graph, shapes, layer)
    found: FeatureMap | None = None
    convolved = False
    for step in graph.steps:
        convolved = convolved or _holds_a_convolution(step.operation)
        if not convolved or isinstance(step.operation, _POOLING):
            continue
        for slot in step.outputs:
            if _is_map(shapes[slot]):
                found = _describe(slot, step.path, shapes)
    if found is None:
        raise ExplanationError(
            "The model has no feature map: no layer after a convolution has an output (n, height, width, channels) "
            "with more than one position. Class activation maps need one; use 'occlusion', "
            "'integrated-gradients' or 'smooth-grad'."
        )
    producer = graph.producer(found.slot)
    if producer is not None and getattr(producer.operation, "data_format", None) == "channels_first":
        raise ExplanationError(
            f"The layer {found.path!r} has the channels first; expected (n, height, width, channels)."
        )
    return found


def _find_named(graph: LayerGraph, shapes: Mapping[int, tuple[int, ...]], layer: str) -> FeatureMap:
    outputs = {step.path: step.outputs for step in graph.steps} | graph.models
    matches = [path for path in outputs if path == layer] or [path for path in outputs if path.endswith(f"/{layer}")]
    maps = [
        _describe(slot, path, shapes)
        for path in matches
        for slot in outputs[path]
        if slot in shapes and _is_map(shapes[slot])
    ]
    if len(maps) == 1:
        return maps[0]
    if len(maps) > 1:
        raise ExplanationError(
            f"Several layers are named {layer!r}: {', '.join(item.path for item in maps)}. Pass one of these paths."
        )
    usable = [step.path for step in graph.steps for slot in step.outputs if _is_map(shapes[slot])]
    if matches:
        sizes = [tuple(shapes[slot]) for path in matches for slot in outputs[path] if slot in shapes]
        raise ExplanationError(
            f"The layer {layer!r} has the output {sizes}; expected a feature map (n, height, width, channels). "
            f"The last layers of this model with a feature map: {', '.join(usable[-5:]) or 'none'}."
        )
    near = difflib.get_close_matches(layer, usable, n=3, cutoff=0.4) or usable[-5:]
    raise ExplanationError(
        f"No layer is named {layer!r}. Similar names with a feature map: {', '.join(near) or 'none'}."
    )


def _describe(slot: int, path: str, shapes: Mapping[int, tuple[int, ...]]) -> FeatureMap:
    _, height, width, channels = shapes[slot]
    return FeatureMap(slot, path, (int(height), int(width), int(channels)))


def _is_map(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[1] * shape[2] > 1


def _holds_a_convolution(operation: Any) -> bool:
    """Return whether a layer, or a layer inside it, has a kernel over height and width."""
    return any(len(weight.shape) >= 4 for weight in getattr(operation, "weights", ()))
