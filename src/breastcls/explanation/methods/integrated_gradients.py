"""Integrated gradients: each pixel's share of the difference in score to an empty image."""

from __future__ import annotations

import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.gradients.score_gradients import image_gradients
from breastcls.explanation.methods.baseline_image import make_baseline
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel


def integrated_gradients(
    scored: ScoredModel,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    steps: int = 32,
    baseline: str = "white",
) -> Attribution:
    """Add up the gradient on the straight way from a baseline to the image, times the difference of the two.

    Completeness: over all pixels and colours the values add up to score(image) - score(baseline), up to the
        error of
    the sum (midpoint rule); by how much they miss it is returned as `residual`.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), 0..255.
        targets: int64 (n,), class indices.
        steps: Points on the way. More make the sum more exact and take proportionally longer.
        baseline: Where the way starts. White, the empty glass, is the absence of tissue; a pixel that equals
            the baseline always gets the value zero, so choose another where white is what matters. See
            `make_baseline`.

    Raises:
        ExplanationError: If `steps` is less than one.

    References:
        Sundararajan, Taly and Yan 2017, arXiv:1703.01365.
    """
    if steps < 1:
        raise ExplanationError(f"steps is {steps}; expected 1 or more.")
    start = make_baseline(images, baseline)
    way = images - start
    total = np.zeros(images.shape, dtype=np.float64)
    for step in range(steps):
        total += image_gradients(scored, start + (step + 0.5) / steps * way, targets)
    values = (way * total / steps).sum(axis=-1)
    rows = np.arange(len(images))
    expected = scored.scores(images)[rows, targets] - scored.scores(start)[rows, targets]
    size = np.abs(values).sum(axis=(1, 2))
    missed = np.abs(values.sum(axis=(1, 2)) - expected)
    residual = np.divide(missed, size, out=np.zeros_like(missed), where=size > 0.0)
    return Attribution(values.astype(np.float32), residual.astype(np.float32))


INTEGRATED_GRADIENTS = Method(
    name="integrated-gradients",
    compute=integrated_gradients,
    title="Integrated gradients",
    reference="Sundararajan et al. 2017, arXiv:1703.01365",
    upper_percentile=99.5,
    smoothing=0.015,
)
