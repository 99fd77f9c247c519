"""What every explanation method takes and gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Attribution:
    """Evidence for the target class before it is made into a heat-map.

    Attributes:
        values: float32 (n, height, width) at the method's own resolution. Positive: speaks for the target
            class; negative: against it. No ReLU and no scaling yet, so that an all-negative map can be
            noticed.
        residual: float32 (n,), for methods whose values must add up to a known sum: the share of their total
            size by which they miss it. None for other methods.
    """

    values: np.ndarray
    residual: np.ndarray | None = None


Method = Callable[..., Attribution]
"""`method(scored, images, targets, *, options)`: images float32 (n, h, w, 3), 0..255; targets int64 (n,).

Its keyword-only parameters are the options that `explain` takes for it.
"""


@dataclass(frozen=True)
class Explainer:
    """A method with what is needed to choose, cite and draw it.

    Attributes:
        title: Its name in print: `"Grad-CAM"`.
        method: The function.
        reference: Author, year and DOI or arXiv number of the paper.
        needs_feature_map: Whether it works only on models with a convolutional feature map.
        upper_percentile: Which percentile of the positive evidence becomes 1 in the heat-map. 100, the
            maximum, for smooth maps; less for maps with a value of its own for each pixel, where one pixel
            would darken the rest.
        smoothing: How far heat-maps are smoothed, as a share of the image's shorter side. Gradients of single pixels
            alternate in sign from one to the next; what can be read is their local sum.
        shows: What a high value means, in words for a figure's title.
    """

    title: str
    method: Method
    reference: str
    needs_feature_map: bool
    upper_percentile: float = 100.0
    smoothing: float = 0.0
    shows: str = "evidence for the class"
