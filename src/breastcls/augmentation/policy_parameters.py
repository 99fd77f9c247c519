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
    grid_mask: float = 0.0
    channel_shuffle: float = 0.0
    rand_augment: float = 0.0
    aug_mix: float = 0.0
    fourier_mix: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name not in ("name", "summary") and not 0 <= value < 1000:
                raise ValueError(f"{name} of the policy {self.name!r} is {value}; expected 0 or more.")
        for name in ("zoom", "contrast", "stain"):
            if getattr(self, name) >= 1:
                raise ValueError(f"{name} of the policy {self.name!r} is {getattr(self, name)}; expected less than 1.")
        for name in ("grid_mask", "channel_shuffle", "rand_augment", "aug_mix"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} of the policy {self.name!r} is {getattr(self, name)}; expected 1 at most.")
        mixing = [name for name in ("mixup", "cutmix", "fourier_mix") if getattr(self, name)]
        if len(mixing) > 1:
            raise ValueError(f"The policy {self.name!r} has both {mixing[0]} and {mixing[1]}; choose one.")

    @property
    def resamples(self) -> bool:
        """Whether pixels are interpolated: rotation, zoom, shift or shear."""
        return bool(self.rotation or self.zoom or self.shift or self.shear)

    @property
    def recolours(self) -> bool:
        """Whether colours are changed, apart from stain jitter."""
        return bool(self.brightness or self.contrast or self.saturation or self.hue)

    @property
    def uses_keras_cv(self) -> bool:
        """Whether each image is changed by an operation of KerasCV."""
        return bool(self.grid_mask or self.channel_shuffle or self.rand_augment or self.aug_mix)

    @property
    def mixes(self) -> bool:
        """Whether images and labels are mixed; labels are then float32 of shape (b, classes)."""
        return bool(self.mixup or self.cutmix or self.fourier_mix)

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as JSON values, for the record of a run."""
        return asdict(self)
