"""Synthetic images of breast tissue: parameters of cases and slides, and the images of a slide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from breastcls.datasets.synthetic.scene import Scene, Style
from breastcls.datasets.synthetic.stain_maps import compute_stain_maps
from breastcls.datasets.synthetic.subtypes import SUBTYPE_PATTERNS, normal_tissue
from breastcls.datasets.synthetic.synthetic_stain import Stain, render, sample_stain, scale_to_mean

SUBTYPES = tuple(SUBTYPE_PATTERNS)
MALIGNANT = ("DC", "LC", "MC", "PC")
# Micrometres per pixel of an image 700 pixels wide, chosen so that nuclei have the size that they have in BreakHis.
PIXEL_SIZES = {40: 2.2, 100: 0.88, 200: 0.44, 400: 0.22}
_FRAME_WIDTH = 700
# Mean concentrations of haematoxylin and eosin of an image, averaged over the subtypes.
_MEAN_CONCENTRATIONS = {40: (0.62, 0.30), 100: (0.36, 0.32), 200: (0.30, 0.34), 400: (0.25, 0.32)}
# Size and pleomorphism of the nuclei, mean and standard deviation over cases. Benign and malignant overlap.
_NUCLEAR_SIZE = {"LC": (1.10, 0.10), "MC": (1.10, 0.12), "PC": (1.10, 0.12), "DC": (1.18, 0.15)}
_BENIGN_SIZE = (1.02, 0.08)
# Fraction of the images of a slide that show normal tissue, from which the label cannot be predicted.
_NORMAL_SHARE = 0.12


@dataclass(frozen=True)
class Slide:
    """Parameters that are common to all images of a slide."""

    subtype: str
    style: Style
    stain: Stain


def sample_style(rng: np.random.Generator, subtype: str) -> Style:
    """Sample the tissue parameters of a case."""
    malignant = subtype in MALIGNANT
    mean, spread = _NUCLEAR_SIZE.get(subtype, _BENIGN_SIZE)
    return Style(
        nuclear_size=float(np.clip(rng.normal(mean, spread), 0.8, 1.6)),
        atypia=float(np.clip(rng.normal(1.25 if malignant else 1.0, 0.2), 0.6, 2.0)),
        spacing=float(np.clip(rng.normal(1.0, 0.07), 0.85, 1.2)),
        stroma_spacing=float(rng.uniform(23, 36)),
        waviness=float(rng.uniform(0.35, 1.0)),
        collagen=float(rng.uniform(0.75, 1.25)),
        inflammation=float(max(0.0, rng.normal(0.015, 0.03))),
        grade=float(rng.uniform(0, 1)),
    )


def sample_slide(case_seed: np.random.SeedSequence, slide_seed: np.random.SeedSequence, subtype: str) -> Slide:
    """Sample a slide: slides of a case share the tissue parameters and most of the staining.

    Args:
        case_seed: Seed of the case.
        slide_seed: Seed of the slide.
        subtype: One of `SUBTYPES`.
    """
    case_rng = np.random.default_rng(case_seed)
    style = sample_style(case_rng, subtype)
    return Slide(subtype, style, sample_stain(case_rng, np.random.default_rng(slide_seed)))


def generate_image(
    slide: Slide, magnification: int, image_size: tuple[int, int], seed: np.random.SeedSequence
) -> NDArray[np.uint8]:
    """Generate one image of a slide.

    A smaller `image_size` shows the same field of view with fewer pixels.

    Args:
        slide: The slide.
        magnification: One of `PIXEL_SIZES`.
        image_size: (height, width) in pixels.
        seed: Seed of the image.

    Returns:
        uint8 (height, width, 3), RGB.

    Example:
        >>> seeds = np.random.SeedSequence(7).spawn(3)
        >>> generate_image(sample_slide(seeds[0], seeds[1], "TA"), 200, (46, 70), seeds[2]).shape
        (46, 70, 3)
    """
    return generate_scene(slide, magnification, image_size, seed)[0]


def generate_scene(
    slide: Slide, magnification: int, image_size: tuple[int, int], seed: np.random.SeedSequence
) -> tuple[NDArray[np.uint8], Scene]:
    """Generate one image of a slide as `generate_image` does, and return the scene that it shows beside it."""
    rng = np.random.default_rng(seed)
    scale = image_size[1] / (_FRAME_WIDTH * PIXEL_SIZES[magnification])
    scene = Scene(rng, image_size, scale, slide.style)
    normal = rng.random() < _NORMAL_SHARE
    (normal_tissue if normal else SUBTYPE_PATTERNS[slide.subtype])(scene)
    haematoxylin, eosin = map(scale_to_mean, compute_stain_maps(scene), _MEAN_CONCENTRATIONS[magnification])
    # The depth of focus decreases with magnification, so that some nuclei are always out of focus.
    blur = max(0.35, 0.36 * scale) * rng.uniform(0.8, 1.4)
    return render(rng, haematoxylin, eosin, slide.stain, blur), scene
