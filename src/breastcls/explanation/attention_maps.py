"""The attention weights of a transformer, their gradients, and the tokens that the head reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.feature_map import FeatureMap
from breastcls.explanation.gradients.score_gradients import feature_gradients
from breastcls.explanation.map_placement import WHOLE, find_placements
from breastcls.explanation.scored_model import ScoredModel, to_float32
from breastcls.explanation.token_grid import TokenGrid, find_token_grid
from breastcls.explanation.token_maps import find_patches
from breastcls.models.backbones.transformers.transformer_layers import AttentionWeights
from breastcls.models.ensemble import list_members
from breastcls.models.keras_internals import flatten_layers, observe_attention


class AttentionMaps:
    """The attention weights of all blocks of a transformer, in the order in which they are computed.

    They are the outputs of layers `AttentionWeights`, or the weights inside of `keras.layers.MultiHeadAttention`, also
    where these are inside other layers. The model is not changed.

    Args:
        scored: The model.
        images: One or more images of the model's input size, float32 (n, h, w, 3).

    Raises:
        ExplanationError: If the model has no attention over all of its tokens.
    """

    def __init__(self, scored: ScoredModel, images: np.ndarray) -> None:
        if list_members(scored.model):
            raise ExplanationError("The attention of several networks has no common meaning; explain one member.")
        self._scored = scored
        steps = scored.graph.steps
        self._slots = {step.outputs[0] for step in steps if isinstance(step.operation, AttentionWeights)}
        layers = [layer for step in steps for layer in _layers_of(step.operation)]
        self._layers = list(
            {id(layer): layer for layer in layers if isinstance(layer, keras.layers.MultiHeadAttention)}.values()
        )
        self.shapes: tuple[tuple[int, ...], ...] = scored.keep("attention shapes", lambda: self._shapes(images[:1]))
        if not self.shapes:
            raise ExplanationError(
                f"The model {scored.model.name!r} has no attention layers: attention rollout is for vision "
                "transformers. Use 'grad-cam' or 'occlusion'."
            )
        sides = {shape[-2:] for shape in self.shapes}
        if len(sides) > 1 or len({side for pair in sides for side in pair}) > 1:
            raise ExplanationError(
                f"The attention weights of the model {scored.model.name!r} have the sizes {sorted(sides)}; attention "
                "rollout needs attention among the same tokens in every block. Use 'occlusion' or 'rise'."
            )
        self.tokens = int(self.shapes[0][-1])
        size = (int(images.shape[1]), int(images.shape[2]))
        found = find_patches(scored.graph, self.tokens, size, scored.shapes)
        self.grid: TokenGrid = found or find_token_grid(scored.graph, self.tokens, size)

    def to_map(self, values: np.ndarray) -> np.ndarray:
        """Return values of the tokens (n, tokens) as a map of the image, float32 (n, rows, columns)."""
        placements = find_placements(self._scored.graph, self._scored.shapes)
        patches = self.grid.patches(values).astype(np.float32)
        return placements.get(self._last_tokens().slot, WHOLE).place(patches)

    def weights(self, images: np.ndarray) -> list[np.ndarray]:
        """Return the attention weights of each block, float32 (n, heads, tokens, tokens)."""
        found = self._scored.traced("attention weights", lambda pixels: tuple(self._record(pixels)))(images)
        return [to_float32(value) for value in found]

    def gradients(self, images: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
        """Return the gradient of each image's target score with respect to the attention weights of each block.

        Args:
            images: float32 (n, h, w, 3), values 0..255.
            targets: int64 (n,), class indices.

        Returns:
            float32 (n, heads, tokens, tokens) for each block.
        """

        def differentiate(pixels: Any, classes: Any, *zeros: Any) -> tuple[Any, ...]:
            def target_scores(*added: Any) -> Any:
                # The gradient with respect to a term of zero that is added to the weights of a block is that with
                # respect to the weights, including all that depends on them in later blocks.
                scores = self._run(pixels, lambda number, value: value + keras.ops.cast(added[number], value.dtype))
                index = keras.ops.expand_dims(classes, -1)
                return keras.ops.take_along_axis(scores, index, axis=-1)[:, 0]

            return self._scored.differentiate(target_scores, zeros)

        zeros = [np.zeros((len(images), *shape[1:]), np.float32) for shape in self.shapes]
        found = self._scored.traced("attention gradients", differentiate)(images, targets, *zeros)
        if any(value is None for value in found):
            raise ExplanationError(
                f"The score of the model {self._scored.model.name!r} has no gradient with respect to its attention "
                "weights. Use 'attention-rollout', 'occlusion' or 'rise'."
            )
        return [to_float32(value) for value in found]

    def read_tokens(self, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the share of each token in what the head reads, float32 (n, tokens), 1 in total.

        The head reads the tokens of the last block for which the score has a gradient: the class token, the patches of
        a model that averages them, or both. They have equal weights.
        """
        last = self._last_tokens()
        _, gradients = feature_gradients(self._scored, images, targets, last)
        read = (np.abs(gradients).max(axis=-1) > 0.0).astype(np.float32)
        # An image whose score depends on no token has no map.
        return np.asarray(read / np.maximum(read.sum(axis=1, keepdims=True), 1.0))

    def _last_tokens(self) -> FeatureMap:
        for step in reversed(self._scored.graph.steps):
            for slot in step.outputs:
                shape = self._scored.shapes.get(slot, ())
                if len(shape) == 3 and shape[1] == self.tokens:
                    return FeatureMap(slot, step.path, shape[1:])  # type: ignore[arg-type]
        raise ExplanationError(
            f"No layer of the model {self._scored.model.name!r} returns its {self.tokens} tokens; rebuild it as a "
            "functional model."
        )

    def _shapes(self, image: np.ndarray) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(int(side) for side in value.shape) for value in self._record(image))

    def _record(self, pixels: Any) -> list[Any]:
        found: list[Any] = []

        def record(number: int, value: Any) -> Any:
            del number
            found.append(value)
            return value

        self._run(pixels, record)
        return found

    def _run(self, pixels: Any, change: Callable[[int, Any], Any]) -> Any:
        """Return the class scores with the attention weights of each block replaced by those of a function."""
        count = 0

        def pass_through(value: Any) -> Any:
            nonlocal count
            count += 1
            return change(count - 1, value)

        def observe(slot: int, value: Any) -> Any:
            return pass_through(value) if slot in self._slots else value

        with observe_attention(self._layers, pass_through):
            return self._scored.score_tensor(pixels, observe)


def _layers_of(operation: Any) -> list[Any]:
    return flatten_layers(operation) if isinstance(operation, keras.Layer) else []
