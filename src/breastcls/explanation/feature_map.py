"""The feature maps of a model: which tensors are feature maps, and which of them class activation maps use."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.layer_graph import LayerGraph
from breastcls.explanation.map_placement import WHOLE, Placement, find_placements, holds_a_convolution
from breastcls.explanation.token_maps import find_patches
from breastcls.models.backbones.transformers.transformer_layers import AttentionWeights

# Pooling only makes a map coarser. After padding or cropping the positions are shifted: of a map of 15 by 15 that was
# padded at one side for a convolution with stride, 14 by 14 positions are in the image.
_MOVES_POSITIONS = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.ZeroPadding2D,
    keras.layers.Cropping2D,
)
Shapes = Mapping[int, tuple[int | None, ...]]


@dataclass(frozen=True)
class FeatureMap:
    """One tensor (n, height, width, channels) inside a model, or the tokens (n, tokens, channels) of a transformer.

    Attributes:
        slot: The number of the tensor in the `LayerGraph`.
        path: The layer that computes it, with the models that contain the layer: `"backbone/conv_pw_13_relu"`.
        shape: (height, width, channels); of tokens the rows, columns and channels of the patches.
        prefix: The number of tokens in front of the patches, class token and registers; None for a tensor that is not
            one of tokens.
        placement: Where in the image it is.
    """

    slot: int
    path: str
    shape: tuple[int, int, int]
    prefix: int | None = None
    placement: Placement = WHOLE

    def to_map(self, values: np.ndarray) -> np.ndarray:
        """Return values of the tensor, or gradients, as (n, height, width, channels), of patches only."""
        if self.prefix is None:
            return values
        patches = values[:, self.prefix : self.prefix + self.shape[0] * self.shape[1]]
        return patches.reshape(len(values), *self.shape)


def measure_shapes(graph: LayerGraph, images: Any) -> dict[int, tuple[int | None, ...]]:
    """Return the shape of every tensor of a model, measured in one forward pass.

    The shapes that Keras recorded are not sufficient: a backbone built for any image size has none, even inside a model
    of a fixed size.
    """
    shapes: dict[int, tuple[int | None, ...]] = {}

    def record(slot: int, value: Any) -> Any:
        shapes[slot] = tuple(getattr(value, "shape", ()))
        return value

    graph.run(images, observe=record)
    return shapes


def find_feature_maps(graph: LayerGraph, shapes: Shapes, score: int) -> tuple[FeatureMap, ...]:
    """Find the feature maps through which the score depends on the image, those nearest to the score.

    From the score backwards, every path to the image ends at the first tensor (n, height, width, channels) with more
    than one position that is computed by a convolution or from the output of one, and is not the output of a layer of
    pooling, padding or cropping; see `moves_positions`. The tokens of a transformer (n, tokens, channels) are such a
    tensor too. A model without branches after its last convolution has one such map; two backbones whose features are
    joined have two.

    Args:
        graph: The layer calls of the model.
        shapes: The shape of each tensor, see `measure_shapes`.
        score: The slot from which the class scores are computed.

    Returns:
        The maps in the order of their paths. Whether the score depends on the image by other paths too is found
        by `find_bypass`.

    Raises:
        ExplanationError: If there is no such tensor.
    """
    candidates = {item.slot: item for item in list_feature_maps(graph, shapes)}
    found: dict[int, FeatureMap] = {}
    waiting, seen = [score], {score}
    while waiting:
        slot = waiting.pop()
        if slot in candidates:
            found[slot] = candidates[slot]
            continue
        step = graph.producer(slot)
        for source in () if step is None else step.inputs:
            if source not in seen:
                seen.add(source)
                waiting.append(source)
    if not found:
        raise ExplanationError(
            "The model has no feature map: no layer after a convolution has an output (n, height, width, channels) "
            "with more than one position. Class activation maps need one; use 'occlusion', "
            "'integrated-gradients' or 'smooth-grad'."
        )
    for item in found.values():
        producer = graph.producer(item.slot)
        if producer is not None and getattr(producer.operation, "data_format", None) == "channels_first":
            raise ExplanationError(
                f"The layer {item.path!r} has the channels first; expected (n, height, width, channels). Use a method "
                "without feature maps, such as 'integrated-gradients' or 'occlusion', or rebuild the model with "
                "data_format='channels_last'."
            )
    ordered = sorted(found.values(), key=lambda item: (_without_calls(item.path), len(item.path), item.path))
    return _place(graph, shapes, ordered)


def find_named_maps(graph: LayerGraph, shapes: Shapes, score: int, layer: str) -> tuple[FeatureMap, ...]:
    """Find the feature map of a layer; of a layer that is called on several branches, those of all its calls.

    Args:
        graph: The layer calls of the model.
        shapes: The shape of each tensor, see `measure_shapes`.
        score: The slot from which the class scores are computed.
        layer: Name of the layer, or its path where several layers have the same name. The name of a nested model
            selects its output.

    Raises:
        ExplanationError: If there is no such layer, or its output is not a feature map.
    """
    outputs = {step.path: step.outputs for step in graph.steps} | graph.models
    # Every call of a layer has its name; only a path such as "backbone#2/conv" selects one of several calls.
    matches = [path for path in outputs if layer in (path, _without_calls(path))] or [
        path for path in outputs if path.endswith(f"/{layer}") or _without_calls(path).endswith(f"/{layer}")
    ]
    described = [_describe(graph, slot, path, shapes) for path in matches for slot in outputs[path] if slot in shapes]
    maps = [item for item in described if item is not None]
    if len({_without_calls(item.path) for item in maps}) > 1:
        raise ExplanationError(
            f"Several layers are named {layer!r}: {', '.join(item.path for item in maps)}. Pass one of these paths."
        )
    if maps:
        # Where a layer is called on its own output, only the last call acts on the score directly.
        _, read = graph.needed_for(score, [item.slot for item in maps])
        direct = {item.slot: item for item in maps if item.slot in read}
        return _place(graph, shapes, [direct[slot] for slot in sorted(direct)] or maps[:1])
    usable = [item.path for item in list_feature_maps(graph, shapes, any_map=True)]
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


def find_bypass(graph: LayerGraph, shapes: Shapes, score: int, maps: Sequence[FeatureMap]) -> tuple[str, ...]:
    """Return the layers through which the score depends on the image without passing through any of the given maps.

    Args:
        graph: The layer calls of the model.
        shapes: The shape of each tensor, see `measure_shapes`.
        score: The slot from which the class scores are computed.
        maps: The feature maps.

    Returns:
        Nothing if the maps carry the whole score: without them no path leads from the image to the score. Else the
        last layers with a feature map on the other paths, or, where these have none, the layers that read the image.
    """
    steps, read = graph.needed_for(score, [item.slot for item in maps])
    if 0 not in read:
        return ()
    around = {0}
    other = []
    for step in steps:
        if around.intersection(step.inputs):
            around.update(step.outputs)
            other.append(step)
    with_map = [step.path for step in other if any(_describe(graph, slot, "", shapes) for slot in step.outputs)]
    return tuple(with_map[-3:] or [step.path for step in other if 0 in step.inputs])


def moves_positions(operation: Any) -> bool:
    """Return whether a layer is one of pooling, padding or cropping, whose output is no feature map of its own.

    Example:
        >>> moves_positions(keras.layers.ZeroPadding2D(1)), moves_positions(keras.layers.ReLU())
        (True, False)
    """
    return isinstance(operation, _MOVES_POSITIONS) or type(operation).__name__ == "Pad"


def list_token_maps(graph: LayerGraph, shapes: Shapes, like: FeatureMap) -> list[FeatureMap]:
    """Return all tensors of the same tokens as one of them, in the order of their computation."""
    found = list_feature_maps(graph, shapes)
    return [item for item in found if (item.prefix, item.shape) == (like.prefix, like.shape)]


def list_feature_maps(graph: LayerGraph, shapes: Shapes, *, any_map: bool = False) -> list[FeatureMap]:
    """Return the tensors that can be a feature map, in the order of their computation.

    Args:
        graph: The layer calls of the model.
        shapes: The shape of each tensor, see `measure_shapes`.
        any_map: Whether to return all tensors with positions, also those in front of the first convolution.
    """
    # An operation that is not a layer has a name with a counter; where it is the last one in a layer, the name of the
    # layer is used.
    ends = {outputs[0]: path for path, outputs in graph.models.items() if len(outputs) == 1}
    convolved: set[int] = set()
    found = []
    for step in graph.steps:
        if holds_a_convolution(step.operation) or convolved.intersection(step.inputs):
            convolved.update(step.outputs)
        # The attention weights are no feature map: those of Keras are the second output of the layer.
        attention = isinstance(step.operation, keras.layers.MultiHeadAttention | keras.layers.Attention)
        for slot in step.outputs[:1] if attention else step.outputs:
            named = isinstance(step.operation, keras.Layer) or slot not in ends
            item = _describe(graph, slot, step.path if named else ends[slot], shapes)
            if item is None:
                continue
            spatial = slot in convolved and not moves_positions(step.operation)
            spatial = spatial and not isinstance(step.operation, AttentionWeights)
            if spatial or any_map or item.prefix is not None:
                found.append(item)
    return list(_place(graph, shapes, found))


def _place(graph: LayerGraph, shapes: Shapes, maps: Sequence[FeatureMap]) -> tuple[FeatureMap, ...]:
    placements = find_placements(graph, shapes)
    return tuple(replace(item, placement=placements.get(item.slot, WHOLE)) for item in maps)


def _without_calls(path: str) -> str:
    return re.sub(r"#\d+(?=/|$)", "", path)


def _describe(graph: LayerGraph, slot: int, path: str, shapes: Shapes) -> FeatureMap | None:
    """Return a tensor as a feature map, or None if it has no positions."""
    lengths = [int(length or 0) for length in shapes[slot][1:]]
    if len(lengths) == 3 and lengths[0] * lengths[1] > 1:
        return FeatureMap(slot, path, (lengths[0], lengths[1], lengths[2]))
    if len(lengths) == 2 and lengths[0] > 1:
        height, width = (int(length or 0) for length in shapes[0][1:3])
        grid = find_patches(graph, lengths[0], (height, width), shapes)
        if grid is not None:
            return FeatureMap(slot, path, (grid.rows, grid.columns, lengths[1]), grid.prefix)
    return None
