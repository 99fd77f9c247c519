"""The parameters of an augmentation policy, apart from the code that applies them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class PolicyParameters:
    """The parameters of a policy, which `Policy` describes.

    Raises:
        ValueError: If a number is out of its range.
    """

    name: str
    summary: str
    dihedral: bool = False
    flip: bool = False
    rotation: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    stain: float = 0.0
    random_operations: int = 0
    magnitude: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name not in ("name", "summary") and not 0 <= value < 1000:
                raise ValueError(f"{name} of the policy {self.name!r} is {value}; expected 0 or more.")
        for name in ("zoom", "contrast", "stain"):
            if getattr(self, name) >= 1:
                raise ValueError(f"{name} of the policy {self.name!r} is {getattr(self, name)}; expected less than 1.")
        if self.mixup and self.cutmix:
            raise ValueError(f"The policy {self.name!r} has both mixup and cutmix; choose one.")

    @property
    def resamples(self) -> bool:
        """Whether pixels are interpolated: rotation, zoom, shift or shear."""
        return bool(self.rotation or self.zoom or self.shift or self.shear)

    @property
    def recolours(self) -> bool:
        """Whether colours are changed, apart from stain jitter."""
        return bool(self.brightness or self.contrast or self.saturation or self.hue)

    @property
    def mixes(self) -> bool:
        """Whether images and labels are mixed; labels are then float32 of shape (b, classes)."""
        return bool(self.mixup or self.cutmix)

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as JSON values, for the record of a run."""
        return asdict(self)
