"""Structures that several subtypes have in common: glands, clefts, palisading nuclei, fat."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from breastcls.datasets.synthetic.noise_textures import FloatMap, Mask, distance_to, zero_crossings
from breastcls.datasets.synthetic.nuclei import LUMINAL, MYOEPITHELIAL, NucleusType, Positions, along_contours
from breastcls.datasets.synthetic.scene import Region, Scene


def outlines(
    rng: np.random.Generator,
    centres: Positions,
    radius: NDArray[np.float64],
    *,
    elongation: float,
    irregularity: float,
    corners: int = 40,
) -> list[NDArray[np.int32]]:
    """Return closed, rounded outlines around `centres`.

    Args:
        rng: Source of randomness.
        centres: (n, 2), x and y in pixels.
        radius: (n,) mean radii in pixels.
        elongation: Standard deviation of the logarithm of the ratio of the axes.
        irregularity: Deviation from an ellipse, as a fraction of the radius.
        corners: Number of points of each outline.
    """
    count = len(centres)
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = np.ones((count, corners))
    for wave in (2, 3, 4):
        reach += irregularity / wave * 2 * np.cos(wave * turn + rng.uniform(0, 2 * np.pi, (count, 1)))
    ratio = np.exp(np.abs(rng.normal(0, elongation, (count, 1))) / 2)
    x, y = reach * np.cos(turn) * ratio * radius[:, None], reach * np.sin(turn) / ratio * radius[:, None]
    angle = rng.uniform(0, np.pi, (count, 1))
    points = np.stack(
        [
            centres[:, :1] + x * np.cos(angle) - y * np.sin(angle),
            centres[:, 1:] + x * np.sin(angle) + y * np.cos(angle),
        ],
        axis=2,
    )
    return list(np.rint(points).astype(np.int32))


def outline_mask(shape: tuple[int, int], shapes: list[NDArray[np.int32]], gap: int = 0) -> Mask:
    """Return the pixels inside `shapes`, each separated from the previous ones by `gap` pixels."""
    canvas = np.zeros(shape, np.uint8)
    for outline in shapes:
        if gap:
            cv2.polylines(canvas, [outline], True, 0, gap)
        cv2.fillPoly(canvas, [outline], 1)
    return canvas.astype(bool)


def palisade(scene: Scene, mask: Mask, nucleus_type: NucleusType, spacing: float, *, perpendicular: bool) -> None:
    """Place palisading nuclei along the outline of `mask`, `spacing` micrometres apart.

    Args:
        scene: The scene.
        mask: The area along the outline of which nuclei are placed.
        nucleus_type: Type of the nuclei.
        spacing: Micrometres between neighbours.
        perpendicular: Whether the long axes are perpendicular to the outline instead of parallel.
    """
    position, angle = along_contours(scene.rng, mask, spacing * scene.scale)
    scene.add(position, nucleus_type, angle + (np.pi / 2 if perpendicular else 0.0))
    scene.cell_centres.append(position)


def line_with_epithelium(scene: Scene, mask: Mask, *, thickness: float, secretion: float = 0.0) -> None:
    """Fill `mask` with glands: an outer row of flat myoepithelial and an inner row of luminal nuclei, and a lumen.

    Args:
        scene: The scene.
        mask: The glands, including the epithelium.
        thickness: Height of the epithelium in micrometres.
        secretion: Fraction of the lumina that contain secretion.
    """
    if not mask.any():
        return
    depth = distance_to(~mask) / np.float32(scene.scale)
    height = thickness * (1 + 0.13 * scene.noise(25))
    scene.fill(mask, Region.EPITHELIUM)
    scene.fill(depth > height, Region.LUMEN)
    if secretion > 0:
        scene.fill((depth > height + 3) & (scene.noise(80) > 1.0 - 2 * secretion), Region.SECRETION)
    size = scene.style.nuclear_size
    palisade(scene, depth > 2.2, MYOEPITHELIAL, 17.0, perpendicular=False)
    inner = depth > 0.56 * thickness
    palisade(scene, inner, scene.style.apply(LUMINAL), 7.0 * size * scene.style.spacing, perpendicular=True)


def add_clefts(
    scene: Scene, *, period: float, opening: float, thickness: float, share: float, branching: float = 0.0
) -> None:
    """Add winding, epithelium-lined clefts to the stroma, as in fibroadenoma and phyllodes tumour.

    Args:
        scene: The scene.
        scene: The scene.
        period: Micrometres between clefts.
        opening: Half of their mean width in micrometres.
        thickness: Height of the epithelium in micrometres.
        share: Fraction of the lines that become clefts, 0..1.
        branching: Amplitude of finer branches of the clefts.
    """
    noise = scene.noise(period) + branching * scene.noise(period / 3)
    lines = zero_crossings(centre_noise(scene, noise))
    gate = scene.noise(2.0 * period)[lines]
    if gate.size:
        lines[lines] = gate >= np.quantile(gate, 1 - share)
    away = distance_to(lines) / np.float32(scene.scale)
    width = opening * np.clip(1 + 0.7 * scene.noise(period * 0.8), 0.25, 3.0)
    tissue = away < width + thickness
    lumen = away < width
    scene.fill(tissue, Region.EPITHELIUM)
    scene.fill(lumen, Region.LUMEN)
    size = scene.style.nuclear_size * scene.style.spacing
    palisade(scene, away < width + 0.8 * thickness, MYOEPITHELIAL, 17.0, perpendicular=False)
    palisade(scene, away < width + 0.42 * thickness, scene.style.apply(LUMINAL), 6.8 * size, perpendicular=True)


def centre_noise(scene: Scene, noise: FloatMap) -> FloatMap:
    """Shift `noise` so that it has zero crossings in the image, even if its period exceeds the image (at 400X)."""
    shifted: FloatMap = noise - np.float32(np.quantile(noise[::4, ::4], scene.rng.uniform(0.38, 0.62)))
    return shifted


def fat_mask(scene: Scene, share: float) -> Mask:
    """Return an area of fat that covers about `share` of the image."""
    noise = scene.noise(330) + 0.25 * scene.noise(60)
    area: Mask = noise > np.quantile(noise[::4, ::4], 1 - share)
    return area


def fill_with_cells(scene: Scene, mask: Mask, nucleus_type: NucleusType, spacing: float) -> None:
    """Fill `mask` with cells in random orientation, their nuclei about `spacing` micrometres apart."""
    position = scene.inside(scene.grid(spacing * scene.style.spacing, 0.22), mask)
    scene.add(position, scene.style.apply(nucleus_type))
    scene.cell_centres.append(position)


def noise_region(noise: FloatMap, share: float) -> Mask:
    """Return the area in which `noise` is among its highest `share` of values."""
    area: Mask = noise > np.quantile(noise[::4, ::4], 1 - share)
    return area
