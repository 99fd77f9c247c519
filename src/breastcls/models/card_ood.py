"""Which images the card of a model flags as out-of-distribution: by the distance of their colour from that in training.

`breastcls.uncertainty.fit_ood_limit` fits the limit. The colour of an image is six numbers, the mean and the standard
deviation of red, green and blue, of the pixels that the model takes; so the flag costs little, needs no part of the
network and is the same with every engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from breastcls.models.model_card import ModelCard

Floats = npt.NDArray[np.float64]
COLOUR_NUMBERS = 6


@dataclass(frozen=True, eq=False)
class ColourLimit:
    """A limit of the Mahalanobis distance of colours.

    Attributes:
        mean: (6,) the mean of the training images.
        whitening: (6, 6) W with W W' the inverse of their covariance.
        limit: The highest squared distance that is accepted, or None where none is flagged.
    """

    mean: Floats
    whitening: Floats
    limit: float | None

    def distances(self, colours: npt.ArrayLike) -> Floats:
        """Return the squared distance of each image, (n,), from its six numbers (n, 6)."""
        return np.asarray((((np.asarray(colours, np.float64) - self.mean) @ self.whitening) ** 2).sum(axis=1))

    def flags(self, colours: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return whether each image is flagged, bool (n,)."""
        distances = self.distances(colours)
        return np.zeros(len(distances), bool) if self.limit is None else np.asarray(distances > self.limit)


def measure_colours(images: npt.NDArray[np.uint8]) -> Floats:
    """Return the mean and the standard deviation of red, green and blue of each image, float64 (n, 6).

    Args:
        images: uint8 (n, height, width, 3).

    Example:
        >>> measure_colours(np.full((1, 4, 4, 3), (200, 100, 0), np.uint8)).tolist()
        [[200.0, 100.0, 0.0, 0.0, 0.0, 0.0]]
    """
    # One image at a time, so that a batch does not have a copy of eight times its size.
    parts = [(image.reshape(-1, 3).mean(axis=0), image.reshape(-1, 3).std(axis=0)) for image in images]
    return np.array([np.concatenate(part) for part in parts], np.float64).reshape(-1, COLOUR_NUMBERS)


def collect_colours(batches: Iterable[Any], found: list[Floats]) -> Iterator[Any]:
    """Yield batches of images unchanged, and append the colours of each batch to a list."""
    for batch in batches:
        found.append(measure_colours(np.asarray(batch)))
        yield batch


def find_colour_limit(card: ModelCard | None) -> ColourLimit | None:
    """Return the limit that a card stores, or None.

    There is none either where the validation cases were too few for one: an image that cannot be flagged would look as
    if it had been accepted.

    Args:
        card: The model's card, or None for a model without one.
    """
    record = None if card is None else card.provenance.get("ood")
    if not isinstance(record, dict):
        return None
    mean, whitening = (np.asarray(record.get(name), np.float64) for name in ("mean", "whitening"))
    if mean.shape != (COLOUR_NUMBERS,) or whitening.shape != (COLOUR_NUMBERS, COLOUR_NUMBERS):
        return None
    limit = record.get("limit")
    return None if limit is None else ColourLimit(mean, whitening, float(limit))
