"""The images by which an exported model is compared with the Keras model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.datasets.synthetic.tissue import SUBTYPES, generate_image, sample_slide
from breastcls.images.resize import resize_image
from breastcls.models.model_card import ModelCard
from breastcls.models.vector_input import require_image_size

SYNTHETIC_IMAGES = 8
_LEAST_SIDE = 32
_SEED = 7


def generate_check_images(card: ModelCard) -> npt.NDArray[np.uint8]:
    """Generate synthetic images in the size of a model, one of each subtype; uint8 (8, height, width, 3)."""
    height, width = require_image_size(card, "Export")
    size = (max(height, _LEAST_SIDE), max(width, _LEAST_SIDE))
    images = []
    for number, subtype in enumerate(SUBTYPES[:SYNTHETIC_IMAGES]):
        case, slide, image = np.random.SeedSequence([_SEED, number]).spawn(3)
        images.append(
            resize_image(generate_image(sample_slide(case, slide, subtype), 200, size, image), (height, width))
        )
    return np.stack(images)


def mix_to_threshold(
    classify: Any, images: npt.NDArray[Any], positive: npt.NDArray[Any], threshold: float, *, within: float, most: int
) -> npt.NDArray[np.float32]:
    """Return images whose probability is within a distance of the threshold, where two images can be mixed to some.

    An image below the threshold is blended with one above it, and the share is found by bisection.

    Args:
        classify: From images float32 (n, height, width, 3) to the probabilities (n,) of the positive class.
        images: (n, height, width, 3).
        positive: Their probabilities of the positive class.
        threshold: The decision threshold.
        within: The distance.
        most: The largest number of images.

    Returns:
        float32 (m, height, width, 3), values 0..255; m may be 0.
    """
    below, above = np.flatnonzero(positive < threshold), np.flatnonzero(positive >= threshold)
    empty = np.empty((0, *images.shape[1:]), np.float32)
    if not len(below) or not len(above):
        return empty
    count = min(most, max(len(below), len(above)))
    # The images nearest to the threshold first.
    below = below[np.argsort(-positive[below])][np.arange(count) % len(below)]
    above = above[np.argsort(positive[above])][np.arange(count) % len(above)]
    first, second = images[below].astype(np.float32), images[above].astype(np.float32)
    low, high = np.zeros(count, np.float32), np.ones(count, np.float32)
    found, near = first, np.zeros(count, bool)
    for _ in range(20):
        share = ((low + high) / 2)[:, None, None, None]
        mixed = first * (1 - share) + second * share
        values = classify(mixed)
        close = np.abs(values - threshold) <= within
        found = np.where((close & ~near)[:, None, None, None], mixed, found)
        near |= close
        if near.all():
            break
        middle = (low + high) / 2
        low, high = np.where(values < threshold, middle, low), np.where(values < threshold, high, middle)
    return found[near] if near.any() else empty
