"""The staining of a slide, and the conversion of stain concentrations to colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from breastcls.datasets.synthetic.noise_textures import FloatMap, grain

# Optical density of the two stains in R, G, B (Macenko et al. 2009, DOI 10.1109/ISBI.2009.5193250).
_HAEMATOXYLIN = np.array([0.5626, 0.7201, 0.4062])
_EOSIN = np.array([0.2159, 0.8012, 0.5581])
# An image is scaled to its mean concentration by a factor between 1 / 1.5 and 1.5.
_MOST_SCALING = 1.5


@dataclass(frozen=True)
class Stain:
    """Staining and illumination of a slide.

    Attributes:
        matrix: (2, 3) optical density in R, G, B of one unit of haematoxylin (first row) and of eosin.
        background: (3,) intensity of the background in R, G, B, 0..1.
    """

    matrix: NDArray[np.float32]
    background: NDArray[np.float32]


def sample_stain(case_rng: np.random.Generator, slide_rng: np.random.Generator) -> Stain:
    """Sample the staining of a slide: most of its variation is between cases, the rest between slides of a case.

    It is independent of the class, so that colour does not predict the class of another case. It differs enough
    between cases to recognise a case by its colour, which a split over images exploits.
    """
    z = 0.85 * case_rng.standard_normal(12) + 0.53 * slide_rng.standard_normal(12)
    haematoxylin = _HAEMATOXYLIN + 0.08 * z[0:3]
    eosin = np.clip(_EOSIN + 0.09 * z[3:6], 0.02, None)
    strength = np.exp(np.array([0.22, 0.30]) * z[6:8])
    rows = [vector / np.linalg.norm(vector) for vector in (haematoxylin, eosin)]
    matrix = np.stack(rows) * strength[:, None]
    background = np.clip(0.91 + 0.04 * z[8] + 0.025 * z[9:12], 0.72, 1.0)
    return Stain(matrix.astype(np.float32), background.astype(np.float32))


def scale_to_mean(concentration: FloatMap, mean: float) -> FloatMap:
    """Return a map of concentrations scaled towards the mean `mean`, float32 (height, width).

    Subtypes differ in the number of nuclei and in the amount of stroma. Without the scaling, the mean colour of an
    image would therefore depend on the class.
    """
    factor = np.clip(mean / max(float(concentration.mean()), 1e-6), 1 / _MOST_SCALING, _MOST_SCALING)
    return concentration * np.float32(factor)


def render(
    rng: np.random.Generator, haematoxylin: FloatMap, eosin: FloatMap, stain: Stain, blur: float
) -> NDArray[np.uint8]:
    """Convert concentrations to an RGB image by the Beer-Lambert law.

    Stains add up in optical density (Ruifrok and Johnston 2001, Anal Quant Cytol Histol 23:291-299). Blur,
    uneven illumination and sensor noise are added.

    Args:
        rng: Source of randomness.
        haematoxylin: Concentration, float32 (height, width).
        eosin: Concentration, float32 (height, width).
        stain: The staining of the slide.
        blur: Standard deviation of the optical blur in pixels.

    Returns:
        uint8 (height, width, 3), RGB.
    """
    height, width = haematoxylin.shape
    if blur > 0.2:
        haematoxylin = cv2.GaussianBlur(haematoxylin, (0, 0), blur)
        eosin = cv2.GaussianBlur(eosin, (0, 0), blur)
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    tilt = rng.normal(0, 0.02, 2).astype(np.float32)
    fall = np.float32(rng.uniform(0, 0.05))
    light = (1 - fall * across**2 + tilt[0] * across) * (1 - fall * down**2 + tilt[1] * down)
    light = (light + grain(rng, (height, width)) * np.float32(0.012)) * 255
    image = np.empty((height, width, 3), np.uint8)
    for channel in range(3):
        density = haematoxylin * stain.matrix[0, channel] + eosin * stain.matrix[1, channel]
        value = np.exp(-density) * light * stain.background[channel]
        image[..., channel] = np.clip(value + 0.5, 0, 255)
    return image
