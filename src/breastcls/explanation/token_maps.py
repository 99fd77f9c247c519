"""The tokens of a vision transformer: which tensors hold them, and which of them class activation maps use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.layer_graph import LayerGraph
from breastcls.explanation.token_grid import MOST_PREFIX_TOKENS, TokenGrid, find_token_grid
from breastcls.models.backbones.transformers.transformer_layers import PrefixTokens
from breastcls.models.keras_internals import flatten_layers


def find_patches(
    graph: LayerGraph, tokens: int, image_size: tuple[int, int], shapes: Mapping[int, tuple[int | None, ...]]
) -> TokenGrid | None:
    """Return the grid of the patches among so many tokens, or None if the model is no transformer over patches.

    A layer `PrefixTokens` describes the grid. Without one it is the shape of a tensor (n, rows, columns, channels) in
    front, such as the output of the convolution that embeds the patches, with at most a few tokens more. Of a model
    with attention in which no such tensor is visible it is the grid with the proportions of the image that fits.

    Args:
        graph: The layer calls of the model.
        tokens: Number of tokens.
        image_size: (height, width) of the model's input.
        shapes: The shape of each tensor.
    """
    described = [step.operation for step in graph.steps if isinstance(step.operation, PrefixTokens)]
    attends = bool(described) or any(_attends(step.operation) for step in graph.steps)
    if not attends:
        return None
    if not described:
        grids = {shape[1:3] for shape in shapes.values() if len(shape) == 4}
        fitting = [
            TokenGrid(tokens - int(rows) * int(columns), int(rows), int(columns))
            for rows, columns in grids
            if rows and columns and 0 <= tokens - rows * columns <= MOST_PREFIX_TOKENS and rows * columns > 1
        ]
        if fitting:
            return _start_at(min(fitting, key=lambda grid: grid.prefix), graph, tokens)
    try:
        grid = find_token_grid(graph, tokens, image_size)
    except ExplanationError:
        return None
    return _start_at(grid, graph, tokens) if grid.rows * grid.columns > 1 else None


def _start_at(grid: TokenGrid, graph: LayerGraph, tokens: int) -> TokenGrid:
    """Return the grid with the measured position of its first patch, if it fits there."""
    start = graph.patch_starts.get(tokens, grid.prefix)
    return replace(grid, prefix=start) if start + grid.rows * grid.columns <= tokens else grid


def measure_patch_starts(
    graph: LayerGraph, shapes: Mapping[int, tuple[int | None, ...]], image_shape: Sequence[int]
) -> dict[int, int]:
    """Return the number of tokens in front of the patches, by the number of all tokens.

    Where tokens are first joined, class token and registers are the same for every image, and patches are not. A model
    may have them in front of the patches or behind them. Of a model with a layer `PrefixTokens`, or without tokens that
    are no patches, nothing is measured.

    Args:
        graph: The layer calls of the model.
        shapes: The shape of each tensor.
        image_shape: (height, width, channels) of the input.
    """
    operations = [step.operation for step in graph.steps]
    if any(isinstance(item, PrefixTokens) for item in operations) or not any(_attends(item) for item in operations):
        return {}
    grids = {int(shape[1] or 0) * int(shape[2] or 0) for shape in shapes.values() if len(shape) == 4}
    first: dict[int, int] = {}
    for step in graph.steps:
        for slot in step.outputs:
            shape = shapes.get(slot, ())
            if len(shape) == 3 and shape[1] and shape[1] not in grids:
                first.setdefault(int(shape[1]), slot)
    image = np.random.default_rng(0).uniform(0.0, 255.0, tuple(image_shape)).astype(np.float32)
    starts = {}
    for tokens, slot in first.items():
        values = np.asarray(keras.ops.convert_to_numpy(graph.run(np.stack([image, 255.0 - image]), slot)), np.float32)
        [changing] = np.nonzero(np.any(values[0] != values[1], axis=-1))
        # Patches that another token separates fill no grid.
        if len(changing) and changing[-1] - changing[0] + 1 == len(changing) < tokens:
            starts[tokens] = int(changing[0])
    return starts


def choose_tokens(
    graph: LayerGraph,
    compute_scores: Callable[..., Any],
    differentiate: Callable[..., tuple[Any, ...]],
    candidates: Sequence[tuple[int, slice]],
    image: np.ndarray,
) -> int:
    """Return the last tokens for which the score has a gradient at the patches.

    A head that reads the class token alone does not depend on the patches of the last block: they act on the score
    through the attention of the class token, in the last block but one.

    Args:
        graph: The layer calls of the model.
        compute_scores: Returns class scores (1, classes) from an image and from given tensors, see
            `ScoredModel.score_tensor`.
        differentiate: See `GradientBackend.differentiate`.
        candidates: Slot, and which tokens are patches, of tensors that carry the whole score, the last one first.
        image: float32 (1, h, w, 3).

    Raises:
        ExplanationError: If there is no such tensor.
    """
    values: dict[int, Any] = {}
    wanted = {slot for slot, _ in candidates}

    def record(slot: int, value: Any) -> Any:
        if slot in wanted:
            values[slot] = value
        return value

    graph.run(image, observe=record)
    for slot, patches in candidates:

        def weighted_scores(tokens: Any, slot: int = slot) -> Any:
            scores = compute_scores(None, given={slot: tokens})
            # Different factors, because the sum of all class scores may be constant.
            factors = np.arange(1, scores.shape[-1] + 1, dtype=np.float32)
            return keras.ops.sum(scores * factors, axis=-1)

        [gradient] = differentiate(weighted_scores, [values[slot]])
        if gradient is not None and np.any(np.asarray(keras.ops.convert_to_numpy(gradient))[:, patches] != 0.0):
            return slot
    raise ExplanationError(
        "The class score does not depend on the patches of the transformer in a differentiable way. Use 'occlusion'."
    )


def _attends(operation: Any) -> bool:
    """Return whether a layer, or a layer inside it, is one of attention."""
    layers = flatten_layers(operation) if isinstance(operation, keras.Layer) else [operation]
    return any("Attention" in type(layer).__name__ for layer in layers)
