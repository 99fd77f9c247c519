"""Structure-preserving stain normalisation by Vahadane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self, cast

import cv2
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.images.resize import Pixels
from breastcls.stain.macenko import find_stains as find_stains_macenko
from breastcls.stain.normalizer import UnfitImageError
from breastcls.stain.optical_density import Density, density_table, from_density, to_density, to_levels
from breastcls.stain.tissue_pixels import tissue_mask
from breastcls.stain.two_stains import Stains, TwoStainNormalizer, measure_strengths

LIGHT = 256.0
SPARSITY = 0.1
_TABLE = density_table(LIGHT)
_SAMPLE = 8192
_STEPS = 200
_TOLERANCE = 1e-5
_LEAST_ANGLE = 3.0


@dataclass(frozen=True, eq=False)
class Vahadane(TwoStainNormalizer):
    """Stain normalisation by a sparse non-negative factorisation of the optical densities (Vahadane et al. 2016).

    DOI 10.1109/TMI.2016.2529665. In contrast to Macenko's method, stain concentrations are never negative.
    """

    name: ClassVar[str] = "vahadane"

    @classmethod
    @override
    def fit(cls, pixels: Pixels) -> Self:
        """Fit on the pixels of one or several reference images, uint8 of shape (height, width, 3).

        Raises:
            UnfitImageError: If they do not contain two stains.
        """
        density = to_density(pixels, _TABLE)
        stains = find_stains(pixels, density)
        return cls(stains, _strengths(find_amounts(density, stains)))

    @override
    def normalize(self, image: Pixels) -> Pixels:
        """Return the image with the stain vectors and strengths of the reference.

        Raises:
            UnfitImageError: If it does not contain two stains.
        """
        density = to_density(image, _TABLE)
        amounts = find_amounts(density, find_stains(image, density))
        factor = self.strengths / _strengths(amounts)
        light = from_density(amounts, factor[:, None] * self.stains, np.full(3, np.log(LIGHT)))
        return to_levels(light)


def find_stains(image: Pixels, density: Density, sparsity: float = SPARSITY) -> Stains:
    """Return the optical density of R, G, B of haematoxylin and eosin, as unit vectors, (2, 3).

    Minimises half the squared error plus `sparsity` times the sum of the concentrations over non-negative stain vectors
    and concentrations, alternately and starting from Macenko's stains, on a regular sample of about 8192 tissue pixels.

    Raises:
        UnfitImageError: If the image does not contain two stains.
    """
    tissue = density[tissue_mask(image, LIGHT) > 0].astype(np.float64)
    stains = np.maximum(find_stains_macenko(image, density), 1e-3)
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    sample = tissue[:: max(1, len(tissue) // _SAMPLE)]
    for _ in range(_STEPS):
        amounts = _sparse_amounts(sample @ stains.T, stains, sparsity)
        gram, target = amounts.T @ amounts, amounts.T @ sample
        last = stains.copy()
        for stain in range(2):
            if gram[stain, stain] < 1e-9:
                raise UnfitImageError("one stain only")
            row = stains[stain] + (target[stain] - gram[stain] @ stains) / gram[stain, stain]
            row = np.maximum(row, 0)
            stains[stain] = row / max(1.0, np.linalg.norm(row))
        if np.abs(stains - last).max() < _TOLERANCE:
            break
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    if np.rad2deg(np.arccos(np.clip(stains[0] @ stains[1], -1, 1))) < _LEAST_ANGLE:
        raise UnfitImageError("one stain only")
    return stains if stains[0, 0] > stains[1, 0] else stains[::-1].copy()


def find_amounts(density: Density, stains: Stains, sparsity: float = SPARSITY) -> Density:
    """Return the concentrations of both stains, float32 of shape (height, width, 2)."""
    height, width = density.shape[:2]
    projected = cv2.transform(density, stains).reshape(-1, 2)
    return _sparse_amounts(projected, stains, sparsity).reshape(height, width, 2).astype(np.float32)


def _sparse_amounts(projected: npt.NDArray[np.float64], stains: Stains, sparsity: float) -> npt.NDArray[np.float64]:
    """Solve the non-negative lasso for two unit vectors exactly: both, the first, the second or no stain."""
    first, second = projected[:, 0] - sparsity, projected[:, 1] - sparsity
    overlap = float(stains[0] @ stains[1]) / float(np.linalg.norm(stains[0]) * np.linalg.norm(stains[1]))
    lengths = np.einsum("ij,ij->i", stains, stains)
    cross = overlap * float(np.sqrt(lengths[0] * lengths[1]))
    determinant = max(float(lengths[0] * lengths[1]) - cross**2, 1e-12)
    one = (lengths[1] * first - cross * second) / determinant
    two = (lengths[0] * second - cross * first) / determinant
    # The solution has both stains if both are positive, otherwise at most the one that is positive on its own.
    one_alone, two_alone = np.maximum(first, 0) / lengths[0], np.maximum(second, 0) / lengths[1]
    out = np.stack([np.where(two <= 0, one_alone, one), np.where(one <= 0, two_alone, two)], axis=1)
    return cast("npt.NDArray[np.float64]", np.maximum(out, 0))


def _strengths(amounts: Density) -> Stains:
    flat = amounts.reshape(-1, 2)
    return measure_strengths(np.ascontiguousarray(flat[:, stain]) for stain in range(2))
