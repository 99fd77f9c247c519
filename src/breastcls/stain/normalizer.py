"""The base class of stain normalizers, and the count of images that cannot be normalised."""

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
from typing_extensions import override

from breastcls.errors import ImageError
from breastcls.images.resize import Pixels
from breastcls.result import ShownInNotebook
from breastcls.text_tables import choose_form, format_count


class UnfitImageError(ValueError):
    """The stain of an image cannot be estimated; the text is the reason, such as "too little tissue"."""


class FallbackCount:
    """Numbers of images that were left unchanged, by reason; safe to use in several threads."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, reason: str) -> None:
        """Count one image."""
        with self._lock:
            self._reasons[reason] += 1

    @property
    def reasons(self) -> dict[str, int]:
        """The number of images for each reason."""
        with self._lock:
            return dict(self._reasons)

    @property
    def total(self) -> int:
        """The total number of images."""
        return sum(self.reasons.values())

    @override
    def __str__(self) -> str:
        if not self.total:
            return "every image was normalised"
        parts = ", ".join(f"{count} with {reason}" for reason, count in sorted(self.reasons.items()))
        images = f"{format_count(self.total, 'image')} {choose_form(self.total, 'was', 'were')}"
        return f"{images} left unchanged: {parts}"


@dataclass(frozen=True)
class StainNormalizer(ShownInNotebook, ABC):
    """Base class of fitted stain normalizers, which transform images to the staining of the reference.

    A subclass is a frozen dataclass with a `name`, the fitted values as fields, and the methods `fit` and `normalize`.

    Attributes:
        fallbacks: Counts the images that could not be normalised and were left unchanged.
        name: Name of the method, under which it is registered.
        shapes: Shapes of fitted arrays by field, for the validation in `from_dict`; optional.
    """

    name: ClassVar[str]
    shapes: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    """Shapes of fitted arrays by field, for the validation in `from_dict`; optional."""
    fallbacks: FallbackCount = field(default_factory=FallbackCount, init=False, compare=False, repr=False)

    @classmethod
    @abstractmethod
    def fit(cls, pixels: Pixels) -> Self:
        """Fit on the pixels of one or several reference images, uint8 of shape (height, width, 3).

        Raises:
            UnfitImageError: If the stain cannot be estimated.
        """

    @abstractmethod
    def normalize(self, image: Pixels) -> Pixels:
        """Return the normalised image.

        Raises:
            UnfitImageError: If its stain cannot be estimated.
        """

    def transform(self, image: Pixels) -> Pixels:
        """Return the normalised image, or the image itself if it cannot be normalised, which is counted.

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
        """Text that identifies the fitted values, for the image cache."""
        digest = hashlib.sha256()
        for entry in fields(self):
            if entry.compare:
                digest.update(np.ascontiguousarray(getattr(self, entry.name), np.float64))
        return f"{self.name}-{digest.hexdigest()[:16]}"

    def to_dict(self) -> dict[str, Any]:
        """Return the name and the fitted values as JSON values, for run records and model cards."""
        return {
            "name": self.name,
            **{entry.name: np.asarray(getattr(self, entry.name)).tolist() for entry in fields(self) if entry.compare},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Restore the normalizer from the result of `to_dict`; it gives the same pixels, bit for bit.

        Args:
            values: The result of `to_dict`, also after conversion to JSON and back.

        Raises:
            ImageError: If the values are those of another normalizer, are incomplete, not finite, or of another shape.
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

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, StainNormalizer) and self.key == other.key

    @override
    def __hash__(self) -> int:
        return hash(self.key)


def _fitted_value(kind: type[StainNormalizer], name: str, value: Any) -> Any:
    """Return one fitted value: a float64 array for a list, a number unchanged."""
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
    """Return percentiles of a flat array as `numpy.percentile` does, several times faster by partial sorting."""
    last = len(values) - 1
    places = [share / 100 * last for share in shares]
    wanted = sorted({int(place) for place in places} | {min(int(place) + 1, last) for place in places})
    parted = np.partition(values, wanted)
    return [
        float(parted[int(place)])
        + (place - int(place)) * (float(parted[min(int(place) + 1, last)]) - float(parted[int(place)]))
        for place in places
    ]
