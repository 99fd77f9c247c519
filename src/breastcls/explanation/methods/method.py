"""What every explanation method takes and returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Attribution:
    """Evidence for the target class, before it becomes a heat-map.

    Attributes:
        values: float32 (n, height, width) at the resolution of the method. Positive values are evidence for the target
            class, negative ones against it. No ReLU and no scaling is applied yet, so that a map without any positive
            value can be detected.
        residual: float32 (n,), for methods whose values must add up to a known sum: the absolute error of that sum,
            divided by the sum of the absolute values. None for other methods.
    """

    values: np.ndarray
    residual: np.ndarray | None = None


@dataclass(frozen=True)
class Method:
    """An explanation method: the function, and what is needed to choose it, to cite it and to draw its heat-maps.

    Attributes:
        name: The name that `explain` takes: `"grad-cam"`.
        compute: `compute(scored, images, targets, *, options)` returns an `Attribution`. `scored` is a `ScoredModel`,
            `images` is float32 (n, h, w, 3) with values 0..255, `targets` is int64 (n,). The keyword-only parameters
            are the options that `explain` takes for the method.
        title: The name in print: `"Grad-CAM"`.
        reference: Author, year and DOI or arXiv number of the paper.
        needs_feature_map: Whether the method works only on models with a feature map: that of a convolution, or the
            tokens of a vision transformer.
        upper_percentile: The percentile of the positive evidence that becomes 1 in the heat-map: 100, the maximum, for
            smooth maps; less for maps with one value per pixel, in which a single pixel would darken the rest.
        smoothing: Standard deviation of the Gaussian that smooths the map, as a fraction of its shorter side.
            Gradients of single pixels alternate in sign from one pixel to the next; only their local sum is readable.
        shows: What a high value means, for the title of a figure.
        perturbs: Whether it runs the model forward on perturbed images, which another engine than Keras can do.
        needs_attention: Whether the method works only on vision transformers.
        passes: The number of passes through the model per image with the default options, including the one that gives
            the prediction, for the table of methods: `"2 forward, 1 backward"`.
    """

    name: str
    compute: Callable[..., Attribution]
    title: str
    reference: str
    needs_feature_map: bool = False
    upper_percentile: float = 100.0
    smoothing: float = 0.0
    shows: str = "evidence for the class"
    perturbs: bool = False
    needs_attention: bool = False
    passes: str = ""
