"""Agreement between the heat-maps of several methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pandas as pd
from scipy.stats import rankdata

from breastcls.errors import ExplanationError

# Heat-maps are compared at this resolution: the values of neighbouring pixels are almost equal.
SIDE = 56


def measure_agreement(explanations: Mapping[str, Any]) -> pd.DataFrame:
    """Return the mean rank correlation over images between the heat-maps of each two methods.

    Args:
        explanations: Results of `explain` of the same images and classes, by any names.

    Returns:
        A symmetric table, -1..1, with 1 on the diagonal: Spearman's rank correlation of the heat-maps of an image,
        averaged over the images. NaN where all heat-maps of a method are blank.

    Raises:
        ExplanationError: If there are no explanations, or the images or the explained classes differ.

    Example:
        >>> class Made:
        ...     def __init__(self, heatmaps):
        ...         self.heatmaps, self.targets = heatmaps, np.zeros(len(heatmaps))
        >>> ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8)
        >>> round(float(measure_agreement({"a": Made(ramp), "b": Made(1 - ramp)}).loc["a", "b"]), 6)
        -1.0
    """
    names = list(explanations)
    if not names:
        raise ExplanationError("There are no explanations to compare; expected at least one.")
    first = explanations[names[0]]
    for name in names:
        other = explanations[name]
        same = other.heatmaps.shape == first.heatmaps.shape and np.array_equal(other.targets, first.targets)
        if (
            not same
            or not _same_images(other, first)
            or getattr(other, "target_score", "") != getattr(first, "target_score", "")
        ):
            raise ExplanationError(f"The heat-maps of {name!r} and {names[0]!r} are of other images or classes.")
    ranks = np.stack([_ranks(explanations[name].heatmaps) for name in names])
    together = np.einsum("anp,bnp->abn", ranks, ranks)
    with np.errstate(invalid="ignore"):
        counted = np.isfinite(together)
        total = np.where(counted, together, 0.0).sum(axis=-1) / counted.sum(axis=-1)
    return pd.DataFrame(np.clip(total, -1.0, 1.0), index=names, columns=names)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's rank correlation of two heat-maps: NaN if the first is blank, 0 if the second is."""
    if np.ptp(first) == 0.0:
        return float("nan")
    if np.ptp(second) == 0.0:
        return 0.0
    one, other = _normalise(first), _normalise(second)
    return float(one @ other)


def _same_images(one: Any, other: Any) -> bool:
    """Return whether two explanations are of the same files or arrays; their inputs may differ in the stain."""
    sources: list[Any] = [getattr(explanation, "source", None) for explanation in (one, other)]
    if None in sources:
        return True
    images = [source.arrays or [source.file_of(number) for number in range(len(source))] for source in sources]
    return all(np.array_equal(*pair) for pair in zip(*images, strict=True))


def _ranks(heatmaps: np.ndarray) -> np.ndarray:
    """Return normalised ranks, float64 (n, positions); NaN where a heat-map is blank."""
    rows = []
    for heat in heatmaps:
        height, width = (min(SIDE, side) for side in heat.shape)
        small = cv2.resize(heat, (width, height), interpolation=cv2.INTER_AREA)
        rows.append(_normalise(small) if np.ptp(small) > 0.0 else np.full(small.size, np.nan))
    return np.stack(rows)


def _normalise(heat: np.ndarray) -> np.ndarray:
    ranked = rankdata(heat.ravel()) - (heat.size + 1) / 2
    return np.asarray(ranked / np.sqrt((ranked**2).sum()))
