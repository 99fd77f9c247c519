"""From signed evidence to heat-maps with values 0..1, and flags for those that show nothing."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.methods.method import Attribution

# Integrated gradients are flagged as incomplete if the error of their sum is a larger fraction than this.
LARGEST_RESIDUAL = 0.05

FLAGS = {
    "negative": "there is evidence against the class only, so the heat-map is blank",
    "empty": "every value is zero, so the heat-map is blank: the score does not depend on the image here. In float16 "
    "activations below 6e-8 are zero too: explain a copy of such a model in float32",
    "incomplete": "the sum of the values has an error of more than 5%; increase `steps`",
}
"""What each flag of an explanation means."""


@dataclass(frozen=True, eq=False)
class Heatmaps:
    """Heat-maps of one batch.

    Attributes:
        values: float32 (n, h, w), 0..1: the positive evidence, enlarged and scaled separately for each image.
        positive_share: float32 (n,): positive evidence divided by all evidence for and against; 0 if there is none.
        flags: Per image `""` or a key of `FLAGS`.
    """

    values: np.ndarray
    positive_share: np.ndarray
    flags: tuple[str, ...]


def make_heatmaps(
    attribution: Attribution, size: tuple[int, int], upper_percentile: float = 100.0, smoothing: float = 0.0
) -> Heatmaps:
    """Return heat-maps: the positive evidence, enlarged to `size` and scaled to 0..1.

    Maps are enlarged by cubic interpolation: bilinear interpolation, as in most papers, produces star-shaped artefacts
    around the few positions of a feature map.

    Args:
        attribution: What a method returned.
        size: (height, width) of the heat-maps.
        upper_percentile: The percentile of a map that becomes 1. Larger values become 1 too.
        smoothing: Standard deviation of a Gaussian, as a fraction of the shorter side of the map. Smoothing comes
            first, so that evidence for and against the class at the same position cancels out as it does in the sum.

    Raises:
        ExplanationError: If a value is NaN or infinite.

    Example:
        >>> made = make_heatmaps(Attribution(np.array([[[-1.0, 3.0]]], np.float32)), (1, 2))
        >>> made.values.tolist(), made.positive_share.tolist()
        ([[[0.0, 1.0]]], [0.75])
        >>> make_heatmaps(Attribution(np.array([[[-1.0, -3.0]]], np.float32)), (1, 2)).flags
        ('negative',)
    """
    if not np.all(np.isfinite(attribution.values)):
        raise ExplanationError(
            "The method returned NaN or infinite values: the scores or gradients of the model overflow."
        )
    raw = attribution.values
    if smoothing > 0.0:
        sigma = smoothing * min(raw.shape[1:])
        raw = np.stack([cv2.GaussianBlur(evidence, (0, 0), sigma, borderType=cv2.BORDER_REFLECT) for evidence in raw])
    positive = np.maximum(raw, 0.0)
    values = np.zeros((len(raw), *size), dtype=np.float32)
    share = np.zeros(len(raw), dtype=np.float32)
    flags: list[str] = []
    for number, evidence in enumerate(positive):
        total = float(np.abs(raw[number]).sum(dtype=np.float64))
        share[number] = float(evidence.sum(dtype=np.float64)) / total if total > 0.0 else 0.0
        if total == 0.0:
            flags.append("empty")
            continue
        if evidence.max() == 0.0:
            flags.append("negative")
            continue
        incomplete = attribution.residual is not None and attribution.residual[number] > LARGEST_RESIDUAL
        flags.append("incomplete" if incomplete else "")
        large = cv2.resize(evidence / evidence.max(), size[::-1], interpolation=cv2.INTER_CUBIC)
        # Where few pixels have evidence, the percentile is zero; the maximum is used then.
        highest = np.percentile(large, upper_percentile) or large.max()
        values[number] = np.clip(large / highest, 0.0, 1.0)
    return Heatmaps(values, share, tuple(flags))
