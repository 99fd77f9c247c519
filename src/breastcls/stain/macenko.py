"""Macenko's stain normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self, cast

import cv2
import numpy as np
from typing_extensions import override

from breastcls.images.resize import Pixels
from breastcls.stain.normalizer import UnfitImageError, percentiles
from breastcls.stain.optical_density import Density, density_table, from_density, to_density
from breastcls.stain.tissue_pixels import LIGHT, check_tissue, tissue_mask
from breastcls.stain.two_stains import Stains, TwoStainNormalizer, measure_strengths

_TABLE = density_table(LIGHT)
# Below this angle in degrees, the image has one stain only.
_LEAST_ANGLE = 3.0


@dataclass(frozen=True, eq=False)
class Macenko(TwoStainNormalizer):
    """Stain normalisation by the extreme directions of the optical densities of an image (Macenko et al. 2009).

    DOI 10.1109/ISBI.2009.5193250. Constants of the paper: background intensity 240, tissue above density 0.15, 1st and
    99th percentiles.
    """

    name: ClassVar[str] = "macenko"

    @classmethod
    @override
    def fit(cls, pixels: Pixels) -> Self:
        """Fit on the pixels of one or several reference images, uint8 of shape (height, width, 3).

        Raises:
            UnfitImageError: If they do not contain two stains.
        """
        density = to_density(pixels, _TABLE)
        stains = find_stains(pixels, density)
        return cls(stains, find_strengths(density, np.linalg.pinv(stains.T)))

    @override
    def normalize(self, image: Pixels) -> Pixels:
        """Return the image with the stain vectors and strengths of the reference.

        Raises:
            UnfitImageError: If it does not contain two stains.
        """
        density = to_density(image, _TABLE)
        unmix = np.linalg.pinv(find_stains(image, density).T)
        strengths = find_strengths(density, unmix)
        matrix = (self.stains.T @ np.diag(self.strengths / strengths) @ unmix).T
        light = from_density(density, matrix, np.full(3, np.log(LIGHT)))
        return cast("Pixels", cv2.convertScaleAbs(light))


def find_stains(image: Pixels, density: Density) -> Stains:
    """Return the optical density of R, G, B of haematoxylin and eosin, as unit vectors, (2, 3).

    Raises:
        UnfitImageError: If the image does not contain two stains.
    """
    mask = tissue_mask(image)
    check_tissue(mask)
    tissue = density[mask > 0]
    # After subtracting the mean, single precision suffices and is twice as fast.
    centred = tissue - np.array(cv2.mean(density, mask=mask)[:3], np.float32)
    spreads, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(tissue))
    if spreads[2] < 1e-6 or spreads[1] < 1e-8:
        raise UnfitImageError("one colour only")
    plane = axes[:, 1:]
    # The sign of an eigenvector is arbitrary; densities are positive.
    plane *= np.where(plane.sum(axis=0) < 0, -1.0, 1.0)
    across, along = plane.T.astype(np.float32) @ tissue.T
    if along.min() > 0:
        # The angle decreases with the ratio, so that percentiles of the ratio make the arc tangents of all pixels
        # unnecessary.
        high, low = np.arctan2(1.0, percentiles(across / along, (1, 99)))
    else:
        low, high = percentiles(np.arctan2(along, across), (1, 99))
    first, second = (plane @ [np.cos(angle), np.sin(angle)] for angle in (low, high))
    if np.rad2deg(high - low) < _LEAST_ANGLE:
        raise UnfitImageError("one stain only")
    # Haematoxylin absorbs more red than eosin.
    return np.stack([first, second] if first[0] > second[0] else [second, first])


def find_strengths(density: Density, unmix: Stains) -> Stains:
    """Return the 99th percentile of the concentrations of both stains, (2,).

    Raises:
        UnfitImageError: If the concentration of one of them is almost zero.
    """
    return measure_strengths(cv2.transform(density, row[np.newaxis]).ravel() for row in unmix)
