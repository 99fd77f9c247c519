"""Tissue architecture of the eight subtypes of BreakHis, and of normal breast tissue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from breastcls.datasets.synthetic.noise_textures import Mask, distance_to, fibre_direction, zero_crossings
from breastcls.datasets.synthetic.nuclei import LYMPHOCYTE, TUMOUR, NucleusType, Positions, sample_at
from breastcls.datasets.synthetic.patterns import (
    add_clefts,
    centre_noise,
    fat_mask,
    fill_with_cells,
    line_with_epithelium,
    noise_region,
    outline_mask,
    outlines,
    palisade,
)
from breastcls.datasets.synthetic.scene import COARSE, Region, Scene


def _acini(scene: Scene, spacing: float, radius: float, where: Mask | None, *, irregularity: float) -> None:
    """Add round glands of about `radius` micrometres, `spacing` micrometres apart, in the area `where`."""
    rng, scale = scene.rng, scene.scale
    centres = scene.grid(spacing, 0.16)
    if where is not None:
        centres = scene.inside(centres, where)
    size = radius * np.exp(rng.normal(0, 0.22, len(centres))) * scale
    shapes = outlines(rng, centres, size, elongation=0.35, irregularity=irregularity)
    mask = outline_mask(scene.shape, shapes, gap=max(1, round(4 * scale)))
    line_with_epithelium(scene, mask, thickness=rng.uniform(11.5, 14.0), secretion=0.2)


def adenosis(scene: Scene) -> None:
    """Lobules of many small acini in fibrous stroma."""
    noise = scene.noise(240) + 0.3 * scene.noise(70)
    middle = noise[tuple(side // 2 for side in scene.shape)]
    _acini(scene, 50, 19, noise > min(np.quantile(noise[::4, ::4], 0.5), middle - 0.4), irregularity=0.12)


def fibroadenoma(scene: Scene) -> None:
    """Long, compressed ducts in abundant loose stroma."""
    scene.collagen *= 0.85
    scene.stroma_spacing *= 0.85
    add_clefts(scene, period=150, opening=5, thickness=12, share=0.6, branching=0.25)


def phyllodes(scene: Scene) -> None:
    """Leaf-like projections of cellular stroma into wide clefts."""
    scene.collagen *= 0.8
    scene.stroma_spacing *= 0.62
    add_clefts(scene, period=260, opening=24, thickness=12, share=0.85, branching=0.3)


def tubular_adenoma(scene: Scene) -> None:
    """Uniform, closely packed small tubules with little stroma."""
    _acini(scene, 46, 20, None, irregularity=0.08)


def ductal(scene: Scene) -> None:
    """Irregular nests and sheets of large, pleomorphic cells, some with central necrosis."""
    rng = scene.rng
    noise = scene.noise(rng.uniform(90, 170)) + 0.35 * scene.noise(35)
    nests = noise_region(noise, rng.uniform(0.42, 0.72))
    depth = distance_to(~nests) / np.float32(scene.scale)
    scene.fill(nests, Region.TUMOUR)
    if rng.random() < 0.35:
        necrosis = (depth > 55) & (scene.noise(60) > -0.3)
        scene.fill(necrosis, Region.NECROSIS)
    if rng.random() < 1 - scene.style.grade:
        # Well differentiated tumours form irregular lumina.
        spots = scene.inside(scene.grid(85, 0.35), depth > 16)
        size = rng.uniform(6, 20, len(spots)) * scene.scale
        scene.fill(
            outline_mask(scene.shape, outlines(rng, spots, size, elongation=0.6, irregularity=0.2)), Region.LUMEN
        )
    fill_with_cells(scene, scene.is_in(Region.TUMOUR), TUMOUR, 13.0)


def lobular(scene: Scene) -> None:
    """Small, uniform cells in single files in the stroma."""
    rng, scale = scene.rng, scene.scale
    nucleus_type = scene.style.apply(NucleusType(7.8, 6.2, 0.13, 0.84, 0.1, 0.07, 0.3, 0.5))
    across = scene.noise(260) * 80 + scene.noise(80) * 16
    turn = rng.uniform(0, np.pi)
    row, column = np.indices(scene.shape, sparse=True)
    across = (across + (row * np.cos(turn) - column * np.sin(turn)) / scale).astype(np.float32)
    # The fibres of the stroma are parallel to the files of cells.
    scene.across = across * np.float32(scale)
    spacing = rng.uniform(24, 40)
    lines = zero_crossings(np.sin(across * np.float32(np.pi / spacing)).astype(np.float32))
    lines &= scene.noise(40) + 0.6 * scene.noise(120) > rng.uniform(-0.1, 0.4)
    angle = fibre_direction(across[::COARSE, ::COARSE])
    y, x = np.nonzero(lines)
    order = rng.permutation(len(x))
    files = np.stack([x, y], axis=1)[order].astype(float)
    files = _thinned(files, 8.5 * scale)
    scene.fill(distance_to(lines) < 4.6 * scale, Region.TUMOUR)
    scene.add(files, nucleus_type, sample_at(angle, files, COARSE))
    scene.cell_centres.append(files)


def _thinned(position: Positions, distance: float) -> Positions:
    """Return one position per square of a grid with sides of `distance` pixels."""
    if not len(position):
        return position
    cell = np.floor(position / max(distance, 1.0)).astype(np.int64)
    _, first = np.unique(cell[:, 0] * 100_003 + cell[:, 1], return_index=True)
    kept: Positions = position[np.sort(first)]
    return kept


def mucinous(scene: Scene) -> None:
    """Islands of tumour cells in pools of mucin, which thin septa of stroma separate."""
    rng, scale = scene.rng, scene.scale
    septa = np.abs(scene.noise(230) + 0.25 * scene.noise(60))
    pools = septa > np.quantile(septa[::4, ::4], rng.uniform(0.18, 0.4))
    scene.fill(pools, Region.MUCIN)
    depth = distance_to(~pools) / np.float32(scene.scale)
    spots = scene.inside(scene.grid(88, 0.3), depth > 12)
    spots = spots[rng.random(len(spots)) < 0.85]
    size = rng.uniform(14, 36, len(spots)) * scale
    islands = outline_mask(scene.shape, outlines(rng, spots, size, elongation=0.7, irregularity=0.22))
    islands &= pools
    scene.fill(islands, Region.TUMOUR)
    fill_with_cells(scene, islands, TUMOUR, 12.0)


def papillary(scene: Scene) -> None:
    """Papillae: thin fibrovascular cores, densely packed columnar cells, narrow spaces between."""
    rng = scene.rng
    noise = scene.noise(rng.uniform(46, 64)) + 0.3 * scene.noise(28)
    away = distance_to(zero_crossings(centre_noise(scene, noise))) / np.float32(scene.scale)
    core = 4.0 * np.clip(1 + 0.6 * scene.noise(60), 0.3, 2.5)
    height = rng.uniform(12, 18)
    zone = noise_region(scene.noise(300) + 0.2 * scene.noise(60), rng.uniform(0.7, 0.95))
    zone |= distance_to(zone) < 30 * scene.scale
    scene.fill(zone, Region.LUMEN)
    fronds = (away < core + height) & zone
    scene.fill(fronds, Region.TUMOUR)
    scene.fill((away < core) & zone, Region.STROMA)
    nucleus_type = scene.style.apply(NucleusType(9.4, 5.2, 0.15, 0.84, 0.12, 0.08, 0.35, 0.3))
    rows = (0.25, 0.65) if height > 14 else (0.5,)
    for share in rows:
        palisade(
            scene, (away < core + share * height) & zone, nucleus_type, 6.8 * scene.style.spacing, perpendicular=True
        )


def normal_tissue(scene: Scene) -> None:
    """Normal tissue outside the lesion: fibrous stroma, fat, occasional ducts or lobules."""
    rng, scale = scene.rng, scene.scale
    if rng.random() < 0.6:
        scene.fill(fat_mask(scene, rng.uniform(0.15, 0.5)), Region.FAT)
    stroma = scene.is_in(Region.STROMA)
    if rng.random() < 0.6:
        spots = scene.inside(scene.grid(260, 0.3), stroma)
        size = rng.uniform(28, 55, len(spots)) * scale
        shapes = outlines(rng, spots, size, elongation=0.5, irregularity=0.1)
        line_with_epithelium(scene, outline_mask(scene.shape, shapes), thickness=12, secretion=0.3)
    else:
        _acini(scene, 44, 16, noise_region(scene.noise(200), 0.15) & stroma, irregularity=0.1)
    if rng.random() < 0.3:
        infiltrate = noise_region(scene.noise(110), 0.06) & stroma
        scene.add(scene.inside(scene.grid(8.5), infiltrate), LYMPHOCYTE)


SUBTYPE_PATTERNS: Mapping[str, Callable[[Scene], None]] = MappingProxyType(
    {
        "A": adenosis,
        "F": fibroadenoma,
        "PT": phyllodes,
        "TA": tubular_adenoma,
        "DC": ductal,
        "LC": lobular,
        "MC": mucinous,
        "PC": papillary,
    }
)
