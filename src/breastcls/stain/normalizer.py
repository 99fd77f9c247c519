"""What every stain normalizer has: a reference it was fitted on, and a way out for images that it does not fit."""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from breastcls.errors import ImageError
from breastcls.images.resize import Pixels


class UnfitImageError(ValueError):
    """Why the stain of an image cannot be estimated."""


class FallbackCount:
    """How many images were left as they are, and why; counted from any thread."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, reason: str) -> None:
        """Count one image."""
        with self._lock:
            self._reasons[reason] += 1

    @property
    def reasons(self) -> dict[str, int]:
        """How many images for each reason."""
        with self._lock:
            return dict(self._reasons)

    @property
    def total(self) -> int:
        """How many images in all."""
        return sum(self.reasons.values())

    def __str__(self) -> str:
        if not self.total:
            return "every image was normalised"
        parts = ", ".join(f"{count} with {reason}" for reason, count in sorted(self.reasons.items()))
        return f"{self.total} images were left as they are: {parts}"


@dataclass(frozen=True)
class StainNormalizer(ABC):
    """A fitted normalizer: brings images to the staining of its reference.

    Attributes:
        fallbacks: Counts the images that could not be normalised and were left as they are.
    """

    name: ClassVar[str]
    shapes: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    """Shapes of the arrays it was fitted to, by field, where it wants `from_dict` to check them."""
    fallbacks: FallbackCount = field(default_factory=FallbackCount, init=False, compare=False, repr=False)

    @classmethod
    @abstractmethod
    def fit(cls, pixels: Pixels) -> Self:
        """Fit on the pixels of one or several reference images, uint8 of shape (height, width, 3).

        Raises:
            UnfitImageError: If they do not show a stain.
        """

    @abstractmethod
    def normalize(self, image: Pixels) -> Pixels:
        """Return the normalised image.

        Raises:
            UnfitImageError: If its stain cannot be estimated.
        """

    def transform(self, image: Pixels) -> Pixels:
        """Return the normalised image, or the image itself where it cannot be normalised, which is counted.

        Args:
            image: uint8 of shape (height, width, 3).

        Returns:
            uint8 of the same shape.
        """
        try:
            return self.normalize(image)
        except UnfitImageError as error:
            self.fallbacks.add(str(error))
            return image

    @property
    def key(self) -> str:
        """Text that differs whenever the result would, for the image cache."""
        digest = hashlib.sha256()
        for entry in fields(self):
            if entry.compare:
                digest.update(np.ascontiguousarray(getattr(self, entry.name), np.float64))
        return f"{self.name}-{digest.hexdigest()[:16]}"

    def to_dict(self) -> dict[str, Any]:
        """Return what it was fitted to as plain data, for the record of a run and the card of a model."""
        return {
            "name": self.name,
            **{entry.name: np.asarray(getattr(self, entry.name)).tolist() for entry in fields(self) if entry.compare},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make the normalizer again that `to_dict` described; it gives the same pixels bit for bit.

        Args:
            values: What `to_dict` returned, also after a way through JSON, which keeps float64 exactly.

        Raises:
            ImageError: If it describes another normalizer, a value is missing or too many, is not a finite number, or
                has another shape.
        """
        wanted = {entry.name for entry in fields(cls) if entry.compare}
        found = set(values) - {"name"}
        if values.get("name") != cls.name or found != wanted:
            raise ImageError(
                f"This does not describe the stain normalizer {cls.name!r}: expected its name and "
                f"{', '.join(sorted(wanted)) or 'nothing else'}; found the name {values.get('name')!r} and "
                f"{', '.join(sorted(map(str, found))) or 'nothing else'}. Fit it anew."
            )
        return cls(**{name: _fitted_value(cls, name, values[name]) for name in sorted(wanted)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StainNormalizer) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _fitted_value(kind: type[StainNormalizer], name: str, value: Any) -> Any:
    """Return one value of `from_dict`: a float64 array for a list, a number as it is."""
    wanted = kind.shapes.get(name)
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if not np.isfinite(array).all() or (wanted is not None and array.shape != wanted):
        expected = "finite numbers" if wanted is None else f"finite numbers of shape {wanted}"
        raise ImageError(f"{name} of the stain normalizer {kind.name!r} must be {expected}; found {value!r}.")
    return array if isinstance(value, list | tuple | np.ndarray) else value


def percentiles(values: npt.NDArray[Any], shares: tuple[float, ...]) -> list[float]:
    """Return percentiles as `numpy.percentile` does, for a flat array; several times faster, since it only selects."""
    last = len(values) - 1
    places = [share / 100 * last for share in shares]
    wanted = sorted({int(place) for place in places} | {min(int(place) + 1, last) for place in places})
    parted = np.partition(values, wanted)
    return [
        float(parted[int(place)])
        + (place - int(place)) * (float(parted[min(int(place) + 1, last)]) - float(parted[int(place)]))
        for place in places
    ]
