"""Shapes that several kinds of growth share: glands, slits, palisades of nuclei, fat."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from breastcls.datasets.synthetic.noise_textures import FloatMap, Mask, distance_to, zero_lines
from breastcls.datasets.synthetic.nuclei import LUMINAL, MYOEPITHELIAL, Kind, Positions, along_contours
from breastcls.datasets.synthetic.scene import Region, Scene


def outlines(
    rng: np.random.Generator,
    centres: Positions,
    radius: NDArray[np.float64],
    *,
    elongation: float,
    wobble: float,
    corners: int = 40,
) -> list[NDArray[np.int32]]:
    """Return closed, rounded outlines about `centres`.

    Args:
        rng: Source of randomness.
        centres: (n, 2) of x, y in pixels.
        radius: (n,) mean radius in pixels.
        elongation: Standard deviation of the logarithm of the ratio of the axes.
        wobble: Departure from an ellipse, as a share of the radius.
        corners: Points of each outline.
    """
    count = len(centres)
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = np.ones((count, corners))
    for wave in (2, 3, 4):
        reach += wobble / wave * 2 * np.cos(wave * turn + rng.uniform(0, 2 * np.pi, (count, 1)))
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


def draw_mask(shape: tuple[int, int], shapes: list[NDArray[np.int32]], gap: int = 0) -> Mask:
    """Return the pixels within `shapes`, each parted from those before it by `gap` pixels."""
    canvas = np.zeros(shape, np.uint8)
    for outline in shapes:
        if gap:
            cv2.polylines(canvas, [outline], True, 0, gap)
        cv2.fillPoly(canvas, [outline], 1)
    return canvas.astype(bool)


def palisade(scene: Scene, mask: Mask, kind: Kind, spacing: float, *, upright: bool) -> None:
    """Place a row of nuclei along the outline of `mask`, `spacing` micrometres apart.

    Args:
        scene: The scene.
        mask: The area along whose outline they stand.
        kind: Kind of nuclei.
        spacing: Micrometres between neighbours.
        upright: True for long axes across the outline, False for along it.
    """
    position, angle = along_contours(scene.rng, mask, spacing * scene.scale)
    scene.add(position, kind, angle + (np.pi / 2 if upright else 0.0))
    scene.cell_centres.append(position)


def line_with_epithelium(scene: Scene, mask: Mask, *, thickness: float, secretion: float = 0.0) -> None:
    """Turn `mask` into glands: an outer row of flat nuclei, an inner row of upright ones, and a lumen.

    Args:
        scene: The scene.
        mask: The glands with their epithelium.
        thickness: Height of the epithelium in micrometres.
        secretion: Share of the lumina that hold secretion.
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
    palisade(scene, depth > 2.2, MYOEPITHELIAL, 17.0, upright=False)
    inner = depth > 0.56 * thickness
    palisade(scene, inner, scene.style.apply(LUMINAL), 7.0 * size * scene.style.crowding, upright=True)


def slits(
    scene: Scene, *, period: float, opening: float, thickness: float, share: float, branching: float = 0.0
) -> None:
    """Cut winding, epithelium-lined slits into the stroma, as in fibroadenoma and phyllodes tumour.

    Args:
        scene: The scene.
        period: Micrometres between slits.
        opening: Half of their mean width in micrometres.
        thickness: Height of the epithelium in micrometres.
        share: Share of the length of the lines that is a slit, 0..1.
        branching: Amplitude of finer folds of the slits.
    """
    noise = scene.noise(period) + branching * scene.noise(period / 3)
    lines = zero_lines(centred(scene, noise))
    gate = scene.noise(2.0 * period)[lines]
    if gate.size:
        lines[lines] = gate >= np.quantile(gate, 1 - share)
    away = distance_to(lines) / np.float32(scene.scale)
    width = opening * np.clip(1 + 0.7 * scene.noise(period * 0.8), 0.25, 3.0)
    tissue = away < width + thickness
    lumen = away < width
    scene.fill(tissue, Region.EPITHELIUM)
    scene.fill(lumen, Region.LUMEN)
    size = scene.style.nuclear_size * scene.style.crowding
    palisade(scene, away < width + 0.8 * thickness, MYOEPITHELIAL, 17.0, upright=False)
    palisade(scene, away < width + 0.42 * thickness, scene.style.apply(LUMINAL), 6.8 * size, upright=True)


def centred(scene: Scene, noise: FloatMap) -> FloatMap:
    """Shift `noise` so that lines of zero cross the image, even where it is smaller than the waves (at 400X)."""
    shifted: FloatMap = noise - np.float32(np.quantile(noise[::4, ::4], scene.rng.uniform(0.38, 0.62)))
    return shifted


def fat_mask(scene: Scene, share: float) -> Mask:
    """Return a patch of fat that covers about `share` of the image."""
    noise = scene.noise(330) + 0.25 * scene.noise(60)
    patch: Mask = noise > np.quantile(noise[::4, ::4], 1 - share)
    return patch


def crowd(scene: Scene, mask: Mask, kind: Kind, spacing: float) -> None:
    """Fill `mask` with cells in no order, their nuclei about `spacing` micrometres apart."""
    position = scene.inside(scene.grid(spacing * scene.style.crowding, 0.22), mask)
    scene.add(position, scene.style.apply(kind))
    scene.cell_centres.append(position)


def ragged(scene: Scene, noise: FloatMap, share: float) -> Mask:
    """Return the highest `share` of `noise` as an area."""
    area: Mask = noise > np.quantile(noise[::4, ::4], 1 - share)
    return area
