"""Integrated gradients: the contribution of each pixel to the difference in score from a baseline image."""

from __future__ import annotations

import numpy as np

from breastcls.argument_checks import check_count
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
    """Integrate the gradient along the straight line from a baseline to the image, times the difference of the two.

    Completeness: over all pixels and colours the values sum to score(image) - score(baseline), up to the error of the
    numerical integration (midpoint rule), which is returned as `residual`.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        steps: Number of points on the line. The error falls and the time rises with it.
        baseline: The image at the start of the line, see `make_baseline`. White, the empty glass of a slide, is the
            absence of tissue. A pixel that equals the baseline always has the value zero, so choose another baseline
            where white is relevant.

    Raises:
        ExplanationError: If `steps` is less than one.

    References:
        Sundararajan, Taly and Yan 2017, arXiv:1703.01365.
    """
    check_count("steps", steps, error=ExplanationError)
    start = make_baseline(images, baseline)
    difference = images - start
    total = np.zeros(images.shape, dtype=np.float64)
    for step in range(steps):
        total += image_gradients(scored, start + (step + 0.5) / steps * difference, targets)
    values = (difference * total / steps).sum(axis=-1)
    rows = np.arange(len(images))
    expected = scored.scores(images)[rows, targets] - scored.scores(start)[rows, targets]
    size = np.abs(values).sum(axis=(1, 2))
    error = np.abs(values.sum(axis=(1, 2)) - expected)
    residual = np.divide(error, size, out=np.zeros_like(error), where=size > 0.0)
    return Attribution(values.astype(np.float32), residual.astype(np.float32))


INTEGRATED_GRADIENTS = Method(
    name="integrated-gradients",
    compute=integrated_gradients,
    title="Integrated gradients",
    reference="Sundararajan et al. 2017, arXiv:1703.01365",
    upper_percentile=99.5,
    smoothing=0.015,
    passes="35 forward, 32 backward (`steps`)",
)
