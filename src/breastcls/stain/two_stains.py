"""What the normalizers that separate haematoxylin and eosin have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from breastcls.stain.normalizer import StainNormalizer, UnfitImageError, percentiles

Stains = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class TwoStainNormalizer(StainNormalizer):
    """Stain normalisation by the optical densities of two stains and their strengths.

    Attributes:
        stains: Optical density of R, G, B of haematoxylin (first row) and eosin in the reference, unit vectors, (2, 3).
        strengths: 99th percentile of the concentrations of both stains in the reference, (2,).
    """

    stains: Stains
    strengths: Stains
    shapes: ClassVar[Mapping[str, tuple[int, ...]]] = {"stains": (2, 3), "strengths": (2,)}


def measure_strengths(amounts: Iterable[npt.NDArray[Any]]) -> Stains:
    """Return the 99th percentile of the concentrations of each stain, (2,).

    Raises:
        UnfitImageError: If the concentration of one of them is almost zero.
    """
    strengths = np.array([percentiles(amount, (99,))[0] for amount in amounts])
    if strengths.min() < 0.01:
        raise UnfitImageError("one stain only")
    return strengths
