"""The scene of one image: a map of tissue regions, and nuclei."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from breastcls.datasets.synthetic.noise_textures import (
    FloatMap,
    Mask,
    smooth_noise,
)
from breastcls.datasets.synthetic.nuclei import (
    Nuclei,
    NucleusType,
    Positions,
    make_nuclei,
    sample_at,
    scatter,
)


class Region(IntEnum):
    """The tissue component of a pixel."""

    STROMA = 0
    EPITHELIUM = 1
    TUMOUR = 2
    LUMEN = 3
    MUCIN = 4
    FAT = 5
    NECROSIS = 6
    SECRETION = 7


# Pixels of the image per pixel of the map of fibre directions, along each axis.
COARSE = 4


@dataclass(frozen=True)
class Style:
    """Tissue parameters that are common to all images of a case.

    Attributes:
        nuclear_size: Factor on the size of epithelial and tumour nuclei.
        atypia: Factor on pleomorphism and irregularity of epithelial and tumour nuclei.
        spacing: Factor on the distance between epithelial and tumour nuclei.
        stroma_spacing: Micrometres between the nuclei of the stroma.
        waviness: Amplitude of the waves of the fibres, 0..1.
        collagen: Concentration of eosin in the stroma, as a factor.
        inflammation: Fraction of the stroma with lymphocytic infiltrate, 0..1.
        grade: Loss of differentiation, 0..1.
    """

    nuclear_size: float
    atypia: float
    spacing: float
    stroma_spacing: float
    waviness: float
    collagen: float
    inflammation: float
    grade: float

    def apply(self, nucleus_type: NucleusType) -> NucleusType:
        """Return `nucleus_type` with the size and atypia of this case."""
        return NucleusType(
            nucleus_type.length * self.nuclear_size,
            nucleus_type.width * self.nuclear_size,
            nucleus_type.spread * self.atypia,
            nucleus_type.darkness,
            nucleus_type.darkness_spread,
            nucleus_type.irregularity * self.atypia,
            nucleus_type.vesicular,
            nucleus_type.angle_spread,
        )


@dataclass
class Scene:
    """Regions and nuclei of one image, filled by the functions in `subtypes`.

    Attributes:
        rng: Source of randomness of this image.
        shape: (height, width) in pixels.
        scale: Pixels per micrometre.
        style: Tissue parameters of the case.
        region: uint8 (height, width), codes of `Region`.
        nuclei: The nuclei placed so far.
        cell_centres: Cell centres, from which the cell borders in epithelium and tumour are computed.
        stroma_spacing: Micrometres between nuclei of the stroma.
        collagen: Concentration of eosin in the stroma, as a factor.
        nuclear_cover: float32 (height, width), the fraction of each pixel covered by a nucleus, after the nuclei were
            drawn; None without nuclei.
        across: Coordinate across the fibres in pixels if tumour cells follow the fibres; None for random fibres.
    """

    rng: np.random.Generator
    shape: tuple[int, int]
    scale: float
    style: Style
    region: NDArray[np.uint8] = field(init=False)
    nuclei: list[Nuclei] = field(init=False, default_factory=list)
    cell_centres: list[Positions] = field(init=False, default_factory=list)
    stroma_spacing: float = field(init=False)
    collagen: float = field(init=False)
    across: FloatMap | None = field(init=False, default=None)
    nuclear_cover: FloatMap | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.region = np.zeros(self.shape, np.uint8)
        self.stroma_spacing = self.style.stroma_spacing
        self.collagen = self.style.collagen

    def noise(self, period: float) -> FloatMap:
        """Return smooth noise with a period of `period` micrometres."""
        return smooth_noise(self.rng, self.shape, period * self.scale)

    def grid(self, spacing: float, jitter: float = 0.28) -> Positions:
        """Return positions in pixels about `spacing` micrometres apart."""
        return scatter(self.rng, self.shape, spacing * self.scale, jitter)

    def inside(self, position: Positions, mask: Mask) -> Positions:
        """Return the positions inside the image and `mask`."""
        x, y = position.T
        near = (x >= 0) & (y >= 0) & (x < self.shape[1]) & (y < self.shape[0])
        position = position[near]
        kept: Positions = position[sample_at(mask, position)]
        return kept

    def fill(self, mask: Mask, region: Region) -> None:
        """Assign the pixels in `mask` to a region."""
        self.region[mask] = region

    def is_in(self, *regions: Region) -> Mask:
        """Return the pixels that belong to one of `regions`."""
        chosen = np.zeros(len(Region), np.bool_)
        chosen[list(regions)] = True
        found: Mask = chosen[self.region]
        return found

    def add(self, position: Positions, nucleus_type: NucleusType, angle: NDArray[Any] | None = None) -> None:
        """Add nuclei of one type at the positions."""
        if len(position):
            self.nuclei.append(make_nuclei(self.rng, position, nucleus_type, self.scale, angle))
