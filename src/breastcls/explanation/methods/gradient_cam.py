"""Class activation maps by gradients: what the methods that combine a feature map and its gradient share."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

from breastcls.explanation.branch_sum import sum_branches
from breastcls.explanation.gradients.score_gradients import branch_gradients
from breastcls.explanation.methods.averaged_maps import average_dihedral, join_tiles
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel

_ARGUMENTS = """Args:
    scored: The model.
    images: float32 (n, h, w, 3), RGB, values 0..255.
    targets: int64 (n,), class indices.
    layer: The layer whose feature map is used; None selects it, see `ScoredModel.feature_maps`. The maps of several
        branches are summed.
    dihedral: Whether to average over the rotated and mirrored images, with eight times the passes; see
        `average_dihedral`.
    tiles: Compute the map of tiles of the image enlarged by this factor, with (2 tiles - 1) squared times the passes;
        see `join_tiles`."""


def gradient_cam(
    name: str, title: str, reference: str, combine: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Method:
    """Make the method that combines a feature map and its gradient.

    Args:
        name: The name that `explain` takes.
        title: The name in print.
        reference: Author, year and DOI or arXiv number of the paper.
        combine: `combine(features, gradients)` returns values float32 (n, height, width) of the feature map and the
            gradient of the score with respect to it, both float32 (n, height, width, channels).
    """

    def compute(
        scored: ScoredModel,
        images: np.ndarray,
        targets: np.ndarray,
        *,
        layer: str | None = None,
        dihedral: bool = False,
        tiles: int = 1,
    ) -> Attribution:
        maps = scored.feature_maps(layer)

        def compute_once(pixels: np.ndarray) -> np.ndarray:
            pairs = branch_gradients(scored, pixels, targets, maps)
            return sum_branches([combine(features, gradients) for features, gradients in pairs], maps)

        def compute_tiles(pixels: np.ndarray) -> np.ndarray:
            return join_tiles(compute_once, pixels, tiles)

        return Attribution(average_dihedral(compute_tiles, images) if dihedral else compute_tiles(images))

    compute.__doc__ = f"{inspect.getdoc(combine)}\n\n{_ARGUMENTS}\n\nReferences:\n    {reference}.\n"
    return Method(
        name=name,
        compute=compute,
        title=title,
        reference=reference,
        needs_feature_map=True,
        passes="1 forward, and the layers behind the feature map backward",
    )
