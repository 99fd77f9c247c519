"""How strongly a heat-map is drawn: by the share of the evidence that is for the class, and on tissue only."""

from __future__ import annotations

import numpy as np

FULL_SHARE = 0.5
"""The share of positive evidence at and above which a heat-map is drawn at full opacity."""


def evidence_opacity(positive_share: float) -> float:
    """Return the opacity of a heat-map, 0..1: `positive_share / 0.5`, and 1 for a share of 0.5 or more.

    The scale is the same for all images, methods and models. A heat-map is scaled to its own maximum, so that without
    this factor a map with very little evidence would be drawn with the same opacity as any other.

    Args:
        positive_share: The evidence for the class, divided by all evidence for and against it, 0..1.

    Example:
        >>> evidence_opacity(0.02), evidence_opacity(0.25), evidence_opacity(0.8)
        (0.04, 0.5, 1.0)
    """
    return float(min(max(positive_share, 0.0) / FULL_SHARE, 1.0))


def share_on_glass(heatmap: np.ndarray, glass: np.ndarray) -> float:
    """Return the share of the evidence of a heat-map that is on glass, 0..1; 0 for a blank heat-map.

    Args:
        heatmap: float32 (height, width), 0..1 or NaN.
        glass: What `find_glass` returned.

    Example:
        >>> share_on_glass(np.array([[3.0, 1.0]]), np.array([[False, True]]))
        0.25
    """
    values = np.nan_to_num(np.asarray(heatmap, dtype=np.float64))
    total = float(values.sum())
    return float(values[glass].sum()) / total if total > 0.0 else 0.0
