"""Gradient x input: the linear approximation of the contribution of each pixel to the score."""

from __future__ import annotations

import numpy as np

from breastcls.explanation.gradients.score_gradients import image_gradients
from breastcls.explanation.methods.baseline_image import make_baseline
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel


def gradient_x_input(
    scored: ScoredModel, images: np.ndarray, targets: np.ndarray, *, baseline: str = "black"
) -> Attribution:
    """Multiply the gradient of the score by the difference of the image from a baseline, and sum over the colours.

    For a model that is linear in the pixels the values sum to score(image) - score(baseline). For any other they are
    its linear approximation at the image; integrated gradients remove that error at the cost of more passes.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        baseline: The image at which the value of every pixel is zero, see `make_baseline`. Black, where all values are
            0, gives the product of gradient and input of the paper; white is the empty glass of a slide.

    References:
        Shrikumar et al. 2016, arXiv:1605.01713.
    """
    difference = images - make_baseline(images, baseline)
    return Attribution((difference * image_gradients(scored, images, targets)).sum(axis=-1))


GRADIENT_X_INPUT = Method(
    name="gradient-x-input",
    compute=gradient_x_input,
    title="Gradient x input",
    reference="Shrikumar et al. 2016, arXiv:1605.01713",
    upper_percentile=99.5,
    smoothing=0.015,
    passes="2 forward, 1 backward",
)
