"""From signed evidence to a heat-map in 0..1, with a note where there is nothing to see."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.methods.method import Attribution

# Integrated gradients that miss their sum by more than this share are flagged as incomplete.
LARGEST_RESIDUAL = 0.05

FLAGS = {
    "negative": "no evidence for the class, only against it: the heat-map is blank",
    "empty": "no evidence at all: every value is zero and the heat-map is blank",
    "incomplete": "the values miss their sum by more than 5%: raise `steps`",
}
"""What each flag of an explanation means."""


@dataclass(frozen=True, eq=False)
class Heatmaps:
    """Heat-maps of one batch.

    Attributes:
        values: float32 (n, h, w), 0..1: the positive evidence, enlarged and scaled for each image by itself.
        positive_share: float32 (n,): positive evidence as a share of all evidence for and against; 0 if there
            is none.
        flags: For each image `""` or a key of `FLAGS`.
    """

    values: np.ndarray
    positive_share: np.ndarray
    flags: tuple[str, ...]


def make_heatmaps(
    attribution: Attribution, size: tuple[int, int], upper_percentile: float = 100.0, smoothing: float = 0.0
) -> Heatmaps:
    """Keep the positive evidence, enlarge it to `size` and scale each map to 0..1.

    Maps are enlarged by cubic interpolation: bilinear, as in most papers, draws stars around the few positions of a
    feature map.

    Args:
        attribution: What a method gave back.
        size: (height, width) of the heat-maps.
        upper_percentile: The percentile of a map that becomes 1; what lies above is 1 too.
        smoothing: Standard deviation of a Gaussian, as a share of the map's shorter side. It is applied before
            anything else, so that evidence for and against the class in one place cancels out as it does in the sum.

    Raises:
        ExplanationError: If a value is not a number.

    Example:
        >>> made = make_heatmaps(Attribution(np.array([[[-1.0, 3.0]]], np.float32)), (1, 2))
        >>> made.values.tolist(), made.positive_share.tolist()
        ([[[0.0, 1.0]]], [0.75])
        >>> make_heatmaps(Attribution(np.array([[[-1.0, -3.0]]], np.float32)), (1, 2)).flags
        ('negative',)
    """
    if not np.all(np.isfinite(attribution.values)):
        raise ExplanationError("The method gave values that are not numbers: the model's scores or gradients overflow.")
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
        # A percentile of zero, where fewer pixels than that hold evidence, would scale by nothing.
        highest = np.percentile(large, upper_percentile) or large.max()
        values[number] = np.clip(large / highest, 0.0, 1.0)
    return Heatmaps(values, share, tuple(flags))
