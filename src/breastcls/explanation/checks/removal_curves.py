"""The probability of the explained class while pixels are removed in the order of a map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from breastcls.explanation.checks.noisy_imputation import Imputer, neighbour_weights
from breastcls.explanation.checks.pixel_orders import pixel_order
from breastcls.explanation.methods.baseline_image import make_baseline
from breastcls.explanation.target_score import TargetedModel

CURVES = {"deletion": "lower", "insertion": "higher", "imputation": "lower"}
"""The curves, and whether a lower or a higher area is better. `imputation` is ROAD."""
# Fractions of pixels removed with imputation. Almost all pixels removed leave nothing to impute from.
ROAD_FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)


class RemovalCurves:
    """Curves of some images for any number of maps.

    Args:
        scored: A `ScoredModel` or `ForwardModel`.
        images: float32 (n, h, w, 3), values 0..255.
        targets: int64 (n,), class indices.
        steps: Number of equal parts of the pixels in deletion and insertion.
        deleted: The baseline image whose pixels replace deleted ones, see `make_baseline`.
        inserted_into: The baseline image into which pixels are inserted.
        seed: Seed of the order of equal values and of the noise of the imputation.

    Attributes:
        of_probabilities: Whether the curves are of probabilities, 0 to 1, and not of a function of the scores.
    """

    def __init__(
        self,
        scored: Any,
        images: np.ndarray,
        targets: Sequence[int] | np.ndarray,
        *,
        steps: int = 10,
        deleted: str = "mean",
        inserted_into: str = "blur",
        seed: int = 0,
    ) -> None:
        self.of_probabilities = not isinstance(scored, TargetedModel) or scored.has_probabilities
        self._scored, self._images, self._targets, self._seed = scored, images, targets, seed
        self.fractions = np.linspace(0.0, 1.0, steps + 1)
        self._empty, self._start = make_baseline(images, deleted), make_baseline(images, inserted_into)
        self._weights = neighbour_weights((images.shape[1], images.shape[2]))

    def measure(self, maps: np.ndarray) -> dict[str, np.ndarray]:
        """Return each curve of `CURVES`, float32 (n, points), for maps float32 (n, h, w)."""
        rows: dict[str, list[np.ndarray]] = {name: [] for name in CURVES}
        for number, heat in enumerate(maps):
            order = pixel_order(heat, self._seed)
            image = self._images[number]
            frames = {
                "deletion": self._replace(image, self._empty[number], order),
                "insertion": self._replace(self._start[number], image, order),
                "imputation": self._impute(image, order),
            }
            # One call, so that the batches are full.
            every = np.concatenate([np.stack(list(part)) for part in frames.values()])
            probabilities = self._scored.probabilities(every)[:, self._targets[number]]
            ends = np.cumsum([0, *[len(self.fractions)] * 2, len(ROAD_FRACTIONS)])
            for name, start, end in zip(frames, ends[:-1], ends[1:], strict=True):
                rows[name].append(probabilities[start:end])
        return {name: np.stack(found).astype(np.float32) for name, found in rows.items()}

    def _replace(self, before: np.ndarray, after: np.ndarray, order: np.ndarray) -> Iterator[np.ndarray]:
        """Yield `before` with more and more of its pixels replaced by those of `after`."""
        for fraction in self.fractions:
            changed = before.copy()
            chosen = order[: round(fraction * len(order))]
            changed.reshape(len(order), -1)[chosen] = after.reshape(len(order), -1)[chosen]
            yield changed

    def _impute(self, image: np.ndarray, order: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the image with more and more of its pixels imputed from the others."""
        generator = np.random.default_rng(self._seed)
        for fraction in ROAD_FRACTIONS:
            removed = np.zeros(len(order), dtype=bool)
            removed[order[: round(fraction * len(order))]] = True
            yield Imputer(self._weights, removed.reshape(image.shape[:2])).impute(image, generator)
