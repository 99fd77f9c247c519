"""Faithfulness of heat-maps: deletion and insertion of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.explanation import Explanation
from breastcls.explanation.forward_model import open_scores
from breastcls.explanation.methods.baseline_image import make_baseline
from breastcls.result import Result
from breastcls.text_tables import format_count


@dataclass(frozen=True, eq=False, repr=False)
class Faithfulness(Result):
    """The deletion and insertion curves, compared with those of pixels in random order.

    A heat-map that marks what the model uses has a smaller area under the deletion curve, and a larger area under the
    insertion curve, than the random order.

    Attributes:
        fractions: float64 (steps + 1,), fraction of the pixels that are deleted or inserted, 0 to 1.
        deletion: float32 (n, steps + 1), the target probability when pixels are deleted, those with the highest values
            in the heat-map first.
        insertion: float32 (n, steps + 1), the same when pixels are inserted.
        random_deletion: float32 (n, steps + 1), pixels deleted in random order.
        random_insertion: float32 (n, steps + 1), pixels inserted in random order.
    """

    fractions: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    random_deletion: np.ndarray
    random_insertion: np.ndarray

    def area(self, curve: str) -> np.ndarray:
        """Return the area under a curve, per image: float64 (n,), 0..1.

        Args:
            curve: `"deletion"`, `"insertion"`, `"random_deletion"` or `"random_insertion"`.
        """
        return np.asarray(np.trapezoid(getattr(self, curve).astype(np.float64), self.fractions, axis=1))

    def to_dict(self) -> dict[str, float]:
        """Return the mean area under each curve."""
        curves = ("deletion", "random_deletion", "insertion", "random_insertion")
        return {curve: float(self.area(curve).mean()) for curve in curves}

    def __str__(self) -> str:
        areas = self.to_dict()
        return (
            f"deletion {areas['deletion']:.3f} (random {areas['random_deletion']:.3f}, lower is better), "
            f"insertion {areas['insertion']:.3f} (random {areas['random_insertion']:.3f}, higher is better), "
            f"{format_count(len(self.deletion), 'image')}"
        )


def measure_faithfulness(
    model: Any,
    explanation: Explanation,
    *,
    steps: int = 20,
    deleted: str = "mean",
    inserted_into: str = "blur",
    batch_size: int = 8,
    seed: int = 0,
) -> Faithfulness:
    """Measure the target probability while pixels are deleted and inserted in the order of the heat-map.

    Args:
        model: The model that was explained.
        explanation: Its heat-maps.
        steps: Number of equal parts of the pixels, with one forward pass each.
        deleted: The baseline image whose pixels replace deleted ones, see `make_baseline`.
        inserted_into: The baseline image into which pixels are inserted.
        batch_size: Number of images in one forward pass.
        seed: Seed of the random order.

    Raises:
        ExplanationError: If `steps` is less than one or there is no such baseline image.

    References:
        Petsiuk, Das and Saenko 2018, arXiv:1806.07421.
    """
    if steps < 1:
        raise ExplanationError(f"steps is {steps}; expected 1 or more.")
    images = explanation.images.astype(np.float32)
    scored = open_scores(model, explanation.images, batch_size, "faithfulness")
    fractions = np.linspace(0.0, 1.0, steps + 1)
    count = explanation.heatmaps[0].size
    # Equal values, such as the zeros of a sparse map, are in random order: row after row would be a spatial pattern.
    shuffled = np.random.default_rng(seed).permutation(count)
    ordered = [shuffled[np.argsort(-heat.ravel()[shuffled], kind="stable")] for heat in explanation.heatmaps]
    empty = make_baseline(images, deleted)
    start = make_baseline(images, inserted_into)

    def curve(orders: list[np.ndarray], before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return the target probabilities while pixels of `before` are replaced by those of `after`."""
        values = np.empty((len(images), steps + 1), dtype=np.float32)
        for number, (order, target) in enumerate(zip(orders, explanation.targets, strict=True)):
            changed = np.repeat(before[number][np.newaxis], steps + 1, axis=0)
            for step, fraction in enumerate(fractions):
                chosen = order[: round(fraction * count)]
                changed[step].reshape(count, -1)[chosen] = after[number].reshape(count, -1)[chosen]
            values[number] = scored.probabilities(changed)[:, target]
        return values

    random = [shuffled] * len(images)
    return Faithfulness(
        fractions,
        deletion=curve(ordered, images, empty),
        insertion=curve(ordered, start, images),
        random_deletion=curve(random, images, empty),
        random_insertion=curve(random, start, images),
    )
