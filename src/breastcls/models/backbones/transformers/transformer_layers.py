"""Layers of vision transformers that Keras does not have.

Each computes one step, so that every intermediate result, the attention weights among them, is the output of a layer of
the functional model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

_PACKAGE = "breastcls"


class _TransformerLayer(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """A layer whose arguments are attributes of the same names."""

    ARGUMENTS: tuple[str, ...] = ()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), **{name: getattr(self, name) for name in self.ARGUMENTS}}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class PositionEmbedding(_TransformerLayer):
    """Adds one learned vector per position to the patches.

    Input and output: (n, rows * columns, channels).
    """

    def build(self, input_shape: Any) -> None:
        """Create the vectors, (1, positions, channels)."""
        self.positions = self.add_weight(
            name="positions", shape=(1, *input_shape[1:]), initializer=keras.initializers.TruncatedNormal(stddev=0.02)
        )

    def call(self, inputs: Any) -> Any:
        """Return the patches with their positions."""
        return inputs + self.positions


@keras.saving.register_keras_serializable(package=_PACKAGE)
class PrefixTokens(_TransformerLayer):
    """Puts learned tokens in front of the patches: the class token first, then the registers.

    Its configuration describes the tokens of all layers that follow: the first `count` are no patches, the others are
    the patches of `patch_size` pixels in `grid` (rows, columns), row by row.

    Input: (n, rows * columns, channels). Output: (n, count + rows * columns, channels).

    Args:
        count: Number of tokens; 0 leaves the patches as they are.
        patch_size: Height and width of a patch in pixels.
        grid: (rows, columns) of the patches.
    """

    ARGUMENTS = ("count", "patch_size", "grid")

    def __init__(self, count: int, patch_size: int, grid: Sequence[int], **keywords: Any) -> None:
        super().__init__(**keywords)
        self.count, self.patch_size, self.grid = int(count), int(patch_size), (int(grid[0]), int(grid[1]))

    def build(self, input_shape: Any) -> None:
        """Create the tokens, (1, count, channels)."""
        self.tokens = None
        if self.count:
            self.tokens = self.add_weight(
                name="tokens",
                shape=(1, self.count, input_shape[-1]),
                initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            )

    def call(self, inputs: Any) -> Any:
        """Return the tokens followed by the patches."""
        if self.tokens is None:
            return inputs
        # Not broadcast_to: its shape would depend on the batch size in exported networks.
        tokens = ops.cast(self.tokens, inputs.dtype) + ops.zeros_like(inputs[:, :1])
        return ops.concatenate([tokens, inputs], axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (n, count + patches, channels)."""
        return (input_shape[0], self.count + input_shape[1], input_shape[2])


@keras.saving.register_keras_serializable(package=_PACKAGE)
class LayerScale(_TransformerLayer):
    """Multiplies each channel by a learned factor (Touvron et al. 2021, DOI 10.1109/ICCV48922.2021.00010)."""

    ARGUMENTS = ("initial",)

    def __init__(self, initial: float = 1e-5, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.initial = float(initial)

    def build(self, input_shape: Any) -> None:
        """Create the factors, (channels,)."""
        self.gamma = self.add_weight(
            name="gamma", shape=(input_shape[-1],), initializer=keras.initializers.Constant(self.initial)
        )

    def call(self, inputs: Any) -> Any:
        """Return the scaled tokens."""
        return inputs * self.gamma


@keras.saving.register_keras_serializable(package=_PACKAGE)
class AttentionWeights(_TransformerLayer):
    """The attention weights of all heads: softmax of the scaled products of queries and keys.

    Input: queries and keys, each (n, tokens, channels). Output: (n, heads, tokens, tokens); each row adds up to 1.

    Args:
        heads: Number of heads; they share the channels in equal parts.
    """

    ARGUMENTS = ("heads",)

    def __init__(self, heads: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.heads = int(heads)

    def call(self, inputs: Any) -> Any:
        """Return the weights."""
        query, key = (_split_heads(part, self.heads) for part in inputs)
        # Queries are scaled, not products: smaller numbers, and the order of operations of the originals.
        query = query * (1.0 / math.sqrt(query.shape[-1]))
        return ops.softmax(ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))), axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (n, heads, tokens, tokens)."""
        count, tokens, _ = input_shape[0]
        return (count, self.heads, tokens, tokens)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class AttendedValues(_TransformerLayer):
    """The values of all tokens, averaged with the attention weights; the heads are concatenated.

    Input: attention weights (n, heads, tokens, tokens) and values (n, tokens, channels). Output: (n, tokens, channels).
    """

    def call(self, inputs: Any) -> Any:
        """Return the averaged values."""
        weights, values = inputs
        _, tokens, channels = values.shape
        attended = ops.matmul(weights, _split_heads(values, weights.shape[1]))
        return ops.reshape(ops.transpose(attended, (0, 2, 1, 3)), (-1, tokens, channels))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (n, tokens, channels)."""
        return tuple(input_shape[1])


@keras.saving.register_keras_serializable(package=_PACKAGE)
class RotaryPositions(_TransformerLayer):
    """Rotates queries or keys by angles that depend on the position of the patch (RoPE, as in DINOv3).

    The first half of the frequencies belongs to the row, the second to the column; positions are the centres of the
    patches, scaled to -1..1 on both axes. Prefix tokens are not rotated. There are no weights.

    Input and output: (n, prefix + rows * columns, channels).

    Args:
        heads: Number of heads.
        prefix: Number of tokens in front of the patches.
        grid: (rows, columns) of the patches.
        base: Base of the geometric series of frequencies.
    """

    ARGUMENTS = ("heads", "prefix", "grid", "base")

    def __init__(self, heads: int, prefix: int, grid: Sequence[int], base: float = 100.0, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.heads, self.prefix, self.base = int(heads), int(prefix), float(base)
        self.grid = (int(grid[0]), int(grid[1]))

    def build(self, input_shape: Any) -> None:
        """Compute the angles."""
        size = input_shape[-1] // self.heads
        frequencies = 2 * np.pi / self.base ** np.arange(0, 1, 4 / size)
        rows, columns = ((np.arange(length) + 0.5) / length * 2 - 1 for length in self.grid)
        places = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
        angles = np.tile((places[:, :, None] * frequencies).reshape(len(places), -1), 2)
        # Tokens in front of the patches are rotated by 0.
        angles = np.concatenate([np.zeros((self.prefix, size)), angles])
        self._cosine = np.tile(np.cos(angles), self.heads).astype(np.float32)
        self._sine = np.tile(np.sin(angles), self.heads).astype(np.float32)

    def call(self, inputs: Any) -> Any:
        """Return the rotated queries or keys."""
        _, tokens, channels = inputs.shape
        halves = ops.reshape(inputs, (-1, tokens, self.heads, 2, channels // self.heads // 2))
        rotated = ops.concatenate([-halves[:, :, :, 1:], halves[:, :, :, :1]], axis=3)
        rotated = ops.reshape(rotated, (-1, tokens, channels))
        return inputs * ops.cast(self._cosine, inputs.dtype) + rotated * ops.cast(self._sine, inputs.dtype)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class GatedUnit(_TransformerLayer):
    """The gate of SwiGLU: the first half of the channels, passed through SiLU, times the second half.

    Input: (n, tokens, 2 * channels). Output: (n, tokens, channels).
    """

    def call(self, inputs: Any) -> Any:
        """Return the product."""
        gate, values = ops.split(inputs, 2, axis=-1)
        # Not ops.silu: OpenVINO takes the parts of its gradient in TensorFlow for further outputs of the network.
        return gate * ops.sigmoid(gate) * values

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (n, tokens, channels)."""
        return (*input_shape[:-1], input_shape[-1] // 2)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class PoolTokens(_TransformerLayer):
    """One vector per image from its tokens.

    Input: (n, prefix + patches, channels). Output: (n, channels), for `"class+mean"` (n, 2 * channels).

    Args:
        pooling: `"class"`: the class token, which is the first. `"mean"`: the mean of the patches. `"class+mean"`:
            both, concatenated.
        prefix: Number of tokens in front of the patches.
    """

    ARGUMENTS = ("pooling", "prefix")

    def __init__(self, pooling: str, prefix: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.pooling, self.prefix = str(pooling), int(prefix)

    def call(self, inputs: Any) -> Any:
        """Return the vectors."""
        if self.pooling == "class":
            return inputs[:, 0]
        mean = ops.mean(inputs[:, self.prefix :], axis=1)
        return mean if self.pooling == "mean" else ops.concatenate([inputs[:, 0], mean], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (n, channels) or (n, 2 * channels)."""
        return (input_shape[0], input_shape[-1] * (2 if self.pooling == "class+mean" else 1))


def _split_heads(tokens: Any, heads: int) -> Any:
    """Return (n, heads, tokens, channels / heads)."""
    _, count, channels = tokens.shape
    return ops.transpose(ops.reshape(tokens, (-1, count, heads, channels // heads)), (0, 2, 1, 3))


TRANSFORMER_LAYERS = (
    PositionEmbedding,
    PrefixTokens,
    LayerScale,
    AttentionWeights,
    AttendedValues,
    RotaryPositions,
    GatedUnit,
    PoolTokens,
)
