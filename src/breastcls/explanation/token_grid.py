"""Which tokens of a transformer are patches, and where in the image they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.layer_graph import LayerGraph
from breastcls.models.backbones.transformers.transformer_layers import PrefixTokens

# The largest number of prefix tokens (class token and registers) that is tried where no layer describes the tokens.
MOST_PREFIX_TOKENS = 16


@dataclass(frozen=True)
class TokenGrid:
    """The first `prefix` tokens are no patches; those behind them are patches, row by row.

    Attributes:
        prefix: Number of tokens in front of the patches: class token and registers.
        rows: Rows of patches.
        columns: Columns of patches.
    """

    prefix: int
    rows: int
    columns: int

    def patches(self, values: np.ndarray) -> np.ndarray:
        """Return values of tokens (n, tokens) as values of patches (n, rows, columns)."""
        patches = values[:, self.prefix : self.prefix + self.rows * self.columns]
        return patches.reshape(len(values), self.rows, self.columns)


def find_token_grid(graph: LayerGraph, tokens: int, image_size: tuple[int, int]) -> TokenGrid:
    """Return the grid of the patches among the tokens of a transformer.

    A layer `PrefixTokens` describes it. Without one, the patches are the largest number of tokens at the end that fills
    a grid with the proportions of the image.

    Args:
        graph: The layer calls of the model.
        tokens: Number of tokens.
        image_size: (height, width) of the model's input.

    Raises:
        ExplanationError: If no grid fits.
    """
    for step in graph.steps:
        if isinstance(step.operation, PrefixTokens):
            rows, columns = step.operation.grid
            if step.operation.count + rows * columns == tokens:
                return TokenGrid(step.operation.count, rows, columns)
    height, width = image_size
    for prefix in range(min(MOST_PREFIX_TOKENS, tokens - 1) + 1):
        rows = round(np.sqrt((tokens - prefix) * height / width))
        if rows and (tokens - prefix) % rows == 0 and rows * width == (tokens - prefix) // rows * height:
            return TokenGrid(prefix, rows, (tokens - prefix) // rows)
    raise ExplanationError(
        f"The {tokens} tokens of the model fill no grid with the proportions of its input, {height}x{width} pixels."
    )
