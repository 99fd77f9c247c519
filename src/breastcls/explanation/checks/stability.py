"""Stability of heat-maps when the stain changes a little or the image is shifted by a few pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from breastcls.explanation.checks.agreement import rank_correlation
from breastcls.explanation.checks.parameter_randomisation import explain_targets
from breastcls.images.resize import resize_image
from breastcls.robustness.perturbations import PERTURBATIONS

# Strength of the stain jitter: the largest relative change of a stain, the weakest that `measure_robustness` uses.
STAIN = 0.1
# The shift as a fraction of the sides of the image.
SHIFT = 0.04


def stain_stability(model: Any, explanation: Any, *, seed: int = 0, **options: Any) -> np.ndarray:
    """Return the rank correlations of heat-maps with those of the same images in another stain, float64 (n,).

    Args:
        model: The model that was explained.
        explanation: Its heat-maps.
        seed: Seed of the stains, another for each image.
        **options: The other arguments of `explain` with which the explanation was made.
    """
    generator = np.random.default_rng(seed)
    # The original images, so that a stain normalizer of the model is applied to the other stain as in use.
    originals = (explanation.image(number) for number in range(len(explanation)))
    changed = [PERTURBATIONS["stain"](image, STAIN, generator) for image in originals]
    maps = explain_targets(model, changed, explanation, options)
    return np.array([rank_correlation(*pair) for pair in zip(explanation.heatmaps, maps, strict=True)])


def shift_stability(model: Any, explanation: Any, **options: Any) -> np.ndarray:
    """Return the rank correlations of heat-maps with those of shifted images, shifted back, float64 (n,).

    The border that the shift uncovers repeats the image (reflection) and is not compared.

    Args:
        model: The model that was explained.
        explanation: Its heat-maps.
        **options: The other arguments of `explain` with which the explanation was made.
    """
    height, width = explanation.images.shape[1:3]
    down, across = max(1, round(SHIFT * height)), max(1, round(SHIFT * width))
    # The images before a stain normalizer of the model, which is applied to the shifted ones as in use.
    originals = (explanation.image(number) for number in range(len(explanation)))
    images = np.stack([resize_image(image, (height, width), resize=explanation.resize) for image in originals])
    padded = np.pad(images, ((0, 0), (down, 0), (across, 0), (0, 0)), mode="reflect")
    shifted = np.ascontiguousarray(padded[:, :height, :width])
    maps = explain_targets(model, shifted, explanation, {**options, "resize": "stretch"})
    pairs = zip(explanation.heatmaps[:, : height - down, : width - across], maps[:, down:, across:], strict=True)
    return np.array([rank_correlation(*pair) for pair in pairs])
