"""SmoothGrad: the gradient with respect to the pixels, averaged over noisy copies of the image."""

from __future__ import annotations

import numpy as np

from breastcls.argument_checks import check_count, check_number
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
    """Average the gradient over noisy copies; the value of a pixel is the largest absolute value of its three colours.

    The map shows where a small change of the image would change the score, in either direction. It is never negative
    and is not evidence for the class. Every image gets the same noise, so that its map does not depend on the other
    images.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        samples: Number of noisy copies of each image.
        noise: Standard deviation of the noise, as a fraction of the range of values of the image. With 0 and one sample
            this is the saliency map of Simonyan et al. 2014 (arXiv:1312.6034).
        seed: Seed of the noise.

    Raises:
        ExplanationError: If `samples` is less than one or `noise` is negative.

    References:
        Smilkov et al. 2017, arXiv:1706.03825.
    """
    check_count("samples", samples, error=ExplanationError)
    check_number("noise", noise, "a number of at least 0", least=0, error=ExplanationError)
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
    passes="17 forward, 16 backward (`samples`)",
)
