"""Do heat-maps point at what the model uses? Deletion and insertion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.explanation import Explanation
from breastcls.explanation.methods.baseline_image import make_baseline
from breastcls.explanation.scored_model import ScoredModel


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Areas under the deletion and insertion curves, beside those of pixels in random order.

    A heat-map that points at what the model uses has a low deletion area and a high insertion area. Whether
    they are low or high is seen only against the random order.

    Attributes:
        fractions: float64 (steps + 1,), share of pixels deleted or inserted: 0 to 1.
        deletion: float32 (n, steps + 1), the target probability as the strongest pixels are deleted first.
        insertion: float32 (n, steps + 1), the same as they are inserted first.
        random_deletion: float32 (n, steps + 1), in random order.
        random_insertion: float32 (n, steps + 1), in random order.
    """

    fractions: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    random_deletion: np.ndarray
    random_insertion: np.ndarray

    def area(self, curve: str) -> np.ndarray:
        """Return the area under a curve for each image, float64 (n,), 0..1.

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
            f"{len(self.deletion)} images"
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
    """Delete and insert pixels from the strongest evidence down and watch the target probability.

    Args:
        model: The model that was explained.
        explanation: Its heat-maps.
        steps: Equal shares of the pixels, one pass of the model each.
        deleted: What takes the place of deleted pixels; see `make_baseline`.
        inserted_into: What pixels are inserted into.
        batch_size: Images in one pass.
        seed: Of the random order.

    Raises:
        ExplanationError: If the steps are less than one or a baseline is not known.

    References:
        Petsiuk, Das and Saenko 2018, arXiv:1806.07421.
    """
    if steps < 1:
        raise ExplanationError(f"steps is {steps}; expected 1 or more.")
    images = explanation.images.astype(np.float32)
    scored = ScoredModel(model, explanation.images, batch_size)
    fractions = np.linspace(0.0, 1.0, steps + 1)
    count = explanation.heatmaps[0].size
    # Equal values, such as the zeros of a sparse map, are ordered at random: in reading order they would be a
    # sweep.
    shuffled = np.random.default_rng(seed).permutation(count)
    ordered = [shuffled[np.argsort(-heat.ravel()[shuffled], kind="stable")] for heat in explanation.heatmaps]
    empty = make_baseline(images, deleted)
    start = make_baseline(images, inserted_into)

    def curve(orders: list[np.ndarray], before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Change pixels from `before` to `after` in the given orders."""
        values = np.empty((len(images), steps + 1), dtype=np.float32)
        for number, (order, target) in enumerate(zip(orders, explanation.targets, strict=True)):
            frames = np.repeat(before[number][np.newaxis], steps + 1, axis=0)
            for step, fraction in enumerate(fractions):
                chosen = order[: round(fraction * count)]
                frames[step].reshape(count, -1)[chosen] = after[number].reshape(count, -1)[chosen]
            values[number] = scored.probabilities(frames)[:, target]
        return values

    random = [shuffled] * len(images)
    return Faithfulness(
        fractions,
        deletion=curve(ordered, images, empty),
        insertion=curve(ordered, start, images),
        random_deletion=curve(random, images, empty),
        random_insertion=curve(random, start, images),
    )
