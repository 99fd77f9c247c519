"""Layers of the Swin transformer that Keras does not have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

_MASKED = -100.0


@keras.saving.register_keras_serializable(package="breastcls")
class WindowAttention(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Attention within square windows of a feature map, which may be shifted (Liu et al. 2021).

    With a shift, the map is rolled, so that the windows at the border hold patches of opposite sides; these do not
    attend to each other.

    Input: queries, keys and values, each (n, rows, columns, channels), with rows and columns multiples of `window`.
    Output: (n, rows, columns, channels).

    Args:
        heads: Number of heads; they share the channels in equal parts.
        window: Side of a window in patches.
        shift: By how many patches the map is rolled, less than `window`.
    """

    def __init__(self, heads: int, window: int, shift: int = 0, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.heads, self.window, self.shift = int(heads), int(window), int(shift)

    def build(self, input_shape: Any) -> None:
        """Create the bias of each relative position, ((2 * window - 1) ** 2, heads), and the mask of the shift."""
        _, rows, columns, _ = input_shape[0]
        self.relative_bias = self.add_weight(
            name="relative_bias",
            shape=((2 * self.window - 1) ** 2, self.heads),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        )
        places = np.stack(np.meshgrid(*[np.arange(self.window)] * 2, indexing="ij"), -1).reshape(-1, 2)
        distances = places[:, None] - places[None] + self.window - 1
        self._index = (distances[..., 0] * (2 * self.window - 1) + distances[..., 1]).reshape(-1)
        self._mask = self._find_mask(rows, columns) if self.shift else None

    def _find_mask(self, rows: int, columns: int) -> Any:
        """Return a mask (windows, 1, patches, patches), negative where patches were not neighbours before the roll."""
        areas = [
            np.digitize(np.arange(length), [length - self.window, length - self.shift]) for length in (rows, columns)
        ]
        shape = (rows // self.window, self.window, columns // self.window, self.window)
        areas_2d = (3 * areas[0][:, None] + areas[1][None]).reshape(shape)
        regions = areas_2d.transpose(0, 2, 1, 3).reshape(-1, self.window**2)
        differ = regions[:, :, None] != regions[:, None]
        return np.where(differ, _MASKED, 0.0).astype(np.float32)[:, None]

    def call(self, inputs: Any) -> Any:
        """Return the attended values."""
        _, rows, columns, channels = inputs[0].shape
        query, key, value = (self._divide(part) for part in inputs)
        patches = self.window**2
        query = query * (1.0 / math.sqrt(channels // self.heads))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        bias = ops.reshape(ops.take(self.relative_bias, self._index, axis=0), (patches, patches, self.heads))
        scores = scores + ops.cast(ops.transpose(bias, (2, 0, 1)), scores.dtype)[None]
        if self._mask is not None:
            windows = len(self._mask)
            scores = ops.reshape(scores, (-1, windows, self.heads, patches, patches))
            scores = ops.reshape(scores + ops.cast(self._mask, scores.dtype)[None], (-1, self.heads, patches, patches))
        attended = ops.transpose(ops.matmul(ops.softmax(scores, axis=-1), value), (0, 2, 1, 3))
        shape = (-1, rows // self.window, columns // self.window, self.window, self.window, channels)
        attended = ops.transpose(ops.reshape(attended, shape), (0, 1, 3, 2, 4, 5))
        attended = ops.reshape(attended, (-1, rows, columns, channels))
        return _roll(attended, -self.shift)

    def _divide(self, part: Any) -> Any:
        """Return the windows of a map as (n * windows, heads, patches, channels / heads)."""
        _, rows, columns, channels = part.shape
        part = _roll(part, self.shift)
        shape = (-1, rows // self.window, self.window, columns // self.window, self.window, channels)
        part = ops.transpose(ops.reshape(part, shape), (0, 1, 3, 2, 4, 5))
        part = ops.reshape(part, (-1, self.window**2, self.heads, channels // self.heads))
        return ops.transpose(part, (0, 2, 1, 3))

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, ...]:
        """Return (n, rows, columns, channels)."""
        return tuple(input_shape[2])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "heads": self.heads, "window": self.window, "shift": self.shift}


@keras.saving.register_keras_serializable(package="breastcls")
class NeighbourPatches(keras.layers.Layer):  # type: ignore[misc]
    """Concatenates the channels of every 2 x 2 patches.

    Input: (n, rows, columns, channels). Output: (n, rows / 2, columns / 2, 4 * channels).
    """

    def call(self, inputs: Any) -> Any:
        """Return the concatenated patches, in the order of Swin: down the first column, then the second."""
        _, rows, columns, channels = inputs.shape
        parts = ops.reshape(inputs, (-1, rows // 2, 2, columns // 2, 2, channels))
        return ops.reshape(ops.transpose(parts, (0, 1, 3, 4, 2, 5)), (-1, rows // 2, columns // 2, 4 * channels))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (n, rows / 2, columns / 2, 4 * channels)."""
        return (input_shape[0], input_shape[1] // 2, input_shape[2] // 2, 4 * input_shape[3])


def _roll(maps: Any, steps: int) -> Any:
    """Return maps (n, rows, columns, channels) whose first rows and columns are moved behind the last ones."""
    if not steps:
        return maps
    # Not ops.roll, which LiteRT does not have.
    maps = ops.concatenate([maps[:, steps:], maps[:, :steps]], axis=1)
    return ops.concatenate([maps[:, :, steps:], maps[:, :, :steps]], axis=2)


SWIN_LAYERS = (WindowAttention, NeighbourPatches)
