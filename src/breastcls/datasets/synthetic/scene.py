"""The scene: which tissue is where in one image, and the nuclei in it."""

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
    Kind,
    Nuclei,
    Positions,
    at,
    make_nuclei,
    scatter,
)


class Region(IntEnum):
    """What fills a pixel."""

    STROMA = 0
    EPITHELIUM = 1
    TUMOUR = 2
    LUMEN = 3
    MUCIN = 4
    FAT = 5
    NECROSIS = 6
    SECRETION = 7


# How many pixels wide a pixel of the map of fibre directions is.
COARSE = 4


@dataclass(frozen=True)
class Style:
    """What is common to the images of one case.

    Attributes:
        nuclear_size: Factor on the size of epithelial and tumour nuclei.
        atypia: Factor on pleomorphism and irregularity of epithelial and tumour nuclei.
        crowding: Factor on the distance between epithelial and tumour nuclei.
        stroma_spacing: Micrometres between the nuclei of the stroma.
        waviness: How strongly fibres wind, 0..1.
        collagen: Concentration of eosin in the stroma, as a factor.
        inflammation: Share of the stroma with lymphocytes, 0..1.
        grade: Disorder of the architecture, 0..1.
    """

    nuclear_size: float
    atypia: float
    crowding: float
    stroma_spacing: float
    waviness: float
    collagen: float
    inflammation: float
    grade: float

    def apply(self, kind: Kind) -> Kind:
        """Return `kind` as it looks in this case."""
        return Kind(
            kind.length * self.nuclear_size,
            kind.width * self.nuclear_size,
            kind.spread * self.atypia,
            kind.darkness,
            kind.darkness_spread,
            kind.irregularity * self.atypia,
            kind.vesicular,
            kind.angle_spread,
        )


@dataclass
class Scene:
    """The canvas of one image: regions and nuclei, filled by the functions of `benign` and `malignant`.

    Attributes:
        rng: Source of randomness of this image.
        shape: (height, width) in pixels.
        scale: Pixels per micrometre.
        style: What is common to the case.
        region: uint8 (height, width), codes of `Region`.
        nuclei: What was placed so far.
        cell_centres: Positions around which cell borders are drawn in epithelium and tumour.
        stroma_spacing: Micrometres between nuclei of the stroma.
        collagen: Concentration of eosin in the stroma, as a factor.
        across: Position across the fibres in pixels, where the growth follows them; None to draw it.
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

    def __post_init__(self) -> None:
        self.region = np.zeros(self.shape, np.uint8)
        self.stroma_spacing = self.style.stroma_spacing
        self.collagen = self.style.collagen

    def noise(self, period: float) -> FloatMap:
        """Return noise with waves of `period` micrometres."""
        return smooth_noise(self.rng, self.shape, period * self.scale)

    def grid(self, spacing: float, jitter: float = 0.28) -> Positions:
        """Return positions in pixels about `spacing` micrometres apart."""
        return scatter(self.rng, self.shape, spacing * self.scale, jitter)

    def inside(self, position: Positions, mask: Mask) -> Positions:
        """Return the positions that lie within the image and in `mask`."""
        x, y = position.T
        near = (x >= 0) & (y >= 0) & (x < self.shape[1]) & (y < self.shape[0])
        position = position[near]
        kept: Positions = position[at(mask, position)]
        return kept

    def fill(self, mask: Mask, region: Region) -> None:
        """Set the region of the pixels in `mask`."""
        self.region[mask] = region

    def is_in(self, *regions: Region) -> Mask:
        """Return where the scene is one of `regions`."""
        chosen = np.zeros(len(Region), np.bool_)
        chosen[list(regions)] = True
        found: Mask = chosen[self.region]
        return found

    def add(self, position: Positions, kind: Kind, angle: NDArray[Any] | None = None) -> None:
        """Place nuclei of one kind."""
        if len(position):
            self.nuclei.append(make_nuclei(self.rng, position, kind, self.scale, angle))
