"""SmoothGrad: the gradient of the pixels, averaged over noisy copies of the image."""

from __future__ import annotations

import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.gradients.score_gradients import image_gradients
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel


def smooth_grad(
    scored: ScoredModel,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    samples: int = 16,
    noise: float = 0.15,
    seed: int = 0,
) -> Attribution:
    """Average the gradient over noisy copies; a pixel's value is its largest size among the three colours.

    It shows where a small change would move the score, in either direction: never negative, and no evidence
    "for". Every image gets the same noise, so that its map does not depend on which images stand beside it.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), 0..255.
        targets: int64 (n,), class indices.
        samples: Noisy copies of each image.
        noise: Standard deviation of the noise, as a share of the image's range of values. With 0 and one
            sample this is the plain saliency map of Simonyan et al. 2014.
        seed: Of the noise.

    Raises:
        ExplanationError: If `samples` is less than one or `noise` is negative.

    References:
        Smilkov et al. 2017, arXiv:1706.03825.
    """
    if samples < 1 or noise < 0.0:
        raise ExplanationError(f"samples is {samples} and noise {noise}; expected 1 or more, and 0 or more.")
    generator = np.random.default_rng(seed)
    spread = noise * (images.max(axis=(1, 2, 3), keepdims=True) - images.min(axis=(1, 2, 3), keepdims=True))
    total = np.zeros(images.shape, dtype=np.float64)
    for _ in range(samples):
        added = generator.standard_normal(images.shape[1:], dtype=np.float32)
        total += image_gradients(scored, images + spread * added, targets)
    return Attribution(np.abs(total / samples).max(axis=-1).astype(np.float32))


SMOOTH_GRAD = Method(
    name="smooth-grad",
    compute=smooth_grad,
    title="SmoothGrad",
    reference="Smilkov et al. 2017, arXiv:1706.03825",
    upper_percentile=99.5,
    smoothing=0.015,
    shows="where the score of the class reacts",
)
