"""Colour transfer by Reinhard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self, cast

import cv2
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.images.resize import Pixels
from breastcls.stain.normalizer import StainNormalizer, UnfitImageError
from breastcls.stain.tissue_pixels import check_tissue, tissue_mask

# More than for the methods that separate stains: with less, the mean colour is that of glass, and becomes grey-violet.
# Of real images of BreakHis at 200X, 3% have less.
_LEAST_SHARE = 0.05
# sRGB to linear light, to X, Y, Z over those of D65, and the two branches of CIELAB (IEC 61966-2-1, ISO/CIE 11664-4).
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS > 0.04045, ((_LEVELS + 0.055) / 1.055) ** 2.4, _LEVELS / 12.92).astype(np.float32)
_TO_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
_TO_XYZ /= np.array([[0.95047], [1.0], [1.08883]])
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_BEND, _SLOPE = 0.008856, 7.787
_TO_LAB = np.array([[0.0, 116.0, 0.0, -16.0], [500.0, -500.0, 0.0, 0.0], [0.0, 200.0, -200.0, 0.0]])
_FROM_LAB = np.array([[1 / 116, 1 / 500, 0, 16 / 116], [1 / 116, 0, 0, 16 / 116], [1 / 116, 0, -1 / 200, 16 / 116]])


@dataclass(frozen=True, eq=False)
class Reinhard(StainNormalizer):
    """Matching of mean and standard deviation of lightness and colour to the reference (Reinhard et al. 2001).

    DOI 10.1109/38.946629; in CIELAB, as usual in histology. It does not model stains: an image with much background or
    fat is coloured like the tissue of the reference. An image with less than 5% of tissue is left unchanged
    and counted.

    Attributes:
        means: Means of L, a and b in the reference, (3,).
        spreads: Standard deviations of L, a and b in the reference, (3,).
    """

    means: npt.NDArray[np.float64]
    spreads: npt.NDArray[np.float64]
    name: ClassVar[str] = "reinhard"
    shapes: ClassVar[Mapping[str, tuple[int, ...]]] = {"means": (3,), "spreads": (3,)}

    @classmethod
    @override
    def fit(cls, pixels: Pixels) -> Self:
        """Fit on the pixels of one or several reference images, uint8 of shape (height, width, 3).

        Raises:
            UnfitImageError: If they have a single colour or show almost no tissue.
        """
        check_tissue(tissue_mask(pixels), _LEAST_SHARE)
        return cls(*colour_statistics(to_lab(pixels)))

    @override
    def normalize(self, image: Pixels) -> Pixels:
        """Return the image with the means and standard deviations of the reference.

        Raises:
            UnfitImageError: If it has a single colour or shows almost no tissue.
        """
        check_tissue(tissue_mask(image), _LEAST_SHARE)
        lab = to_lab(image)
        means, spreads = colour_statistics(lab)
        factor = self.spreads / spreads
        moved = cv2.transform(lab, np.column_stack([np.diag(factor), self.means - means * factor]))
        return _to_rgb(moved)


def to_lab(image: Pixels) -> npt.NDArray[np.float32]:
    """Return CIELAB (height, width, 3), float32, of an sRGB image."""
    # The conversion to CIELAB of OpenCV interpolates in a table, with errors of several grey levels.
    ratio = cv2.transform(cv2.LUT(image, _LINEAR), _TO_XYZ)
    curved = np.where(ratio > _BEND, cv2.pow(ratio, 1 / 3), ratio * _SLOPE + 16 / 116)
    return cast("npt.NDArray[np.float32]", cv2.transform(curved, _TO_LAB))


def _to_rgb(lab: npt.NDArray[np.float32]) -> Pixels:
    curved = cv2.transform(lab, _FROM_LAB)
    ratio = np.where(curved > _BEND ** (1 / 3), curved * curved * curved, (curved - 16 / 116) / np.float32(_SLOPE))
    linear = np.maximum(cv2.transform(ratio, _FROM_XYZ), 0)
    light = np.where(linear > 0.0031308, cv2.pow(linear, 1 / 2.4) * 1.055 - 0.055, linear * np.float32(12.92))
    return cast("Pixels", cv2.convertScaleAbs(np.maximum(light, 0), alpha=255.0))


def colour_statistics(lab: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the means and standard deviations of the three channels.

    Raises:
        UnfitImageError: If there is a single colour, the standard deviation of which cannot be changed.
    """
    means, spreads = cv2.meanStdDev(lab)
    if spreads.min() < 0.1:
        raise UnfitImageError("one colour only")
    return means.ravel(), spreads.ravel()
