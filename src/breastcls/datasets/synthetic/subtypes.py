"""How each of the eight subtypes of BreakHis grows, and what lies beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from breastcls.datasets.synthetic.noise_textures import Mask, direction_of, distance_to, zero_lines
from breastcls.datasets.synthetic.nuclei import LYMPHOCYTE, TUMOUR, Kind, Positions, at
from breastcls.datasets.synthetic.patterns import (
    centred,
    crowd,
    draw_mask,
    fat_mask,
    line_with_epithelium,
    outlines,
    palisade,
    ragged,
    slits,
)
from breastcls.datasets.synthetic.scene import COARSE, Region, Scene


def _acini(scene: Scene, spacing: float, radius: float, where: Mask | None, *, wobble: float) -> None:
    """Put round glands of about `radius` micrometres, `spacing` apart, into `where`."""
    rng, scale = scene.rng, scene.scale
    centres = scene.grid(spacing, 0.16)
    if where is not None:
        centres = scene.inside(centres, where)
    size = radius * np.exp(rng.normal(0, 0.22, len(centres))) * scale
    shapes = outlines(rng, centres, size, elongation=0.35, wobble=wobble)
    mask = draw_mask(scene.shape, shapes, gap=max(1, round(4 * scale)))
    line_with_epithelium(scene, mask, thickness=rng.uniform(11.5, 14.0), secretion=0.2)


def adenosis(scene: Scene) -> None:
    """Lobules of many small acini in fibrous stroma."""
    noise = scene.noise(240) + 0.3 * scene.noise(70)
    middle = noise[tuple(side // 2 for side in scene.shape)]
    _acini(scene, 50, 19, noise > min(np.quantile(noise[::4, ::4], 0.5), middle - 0.4), wobble=0.12)


def fibroadenoma(scene: Scene) -> None:
    """Long compressed ducts in abundant loose stroma."""
    scene.collagen *= 0.85
    scene.stroma_spacing *= 0.85
    slits(scene, period=150, opening=5, thickness=12, share=0.6, branching=0.25)


def phyllodes(scene: Scene) -> None:
    """Leaves of cellular stroma that bulge into wide clefts."""
    scene.collagen *= 0.8
    scene.stroma_spacing *= 0.62
    slits(scene, period=260, opening=24, thickness=12, share=0.85, branching=0.3)


def tubular_adenoma(scene: Scene) -> None:
    """Uniform small tubules back to back with hardly any stroma."""
    _acini(scene, 46, 20, None, wobble=0.08)


def ductal(scene: Scene) -> None:
    """Irregular nests and sheets of large, varied cells, some with dead centres."""
    rng = scene.rng
    noise = scene.noise(rng.uniform(90, 170)) + 0.35 * scene.noise(35)
    nests = ragged(scene, noise, rng.uniform(0.42, 0.72))
    depth = distance_to(~nests) / np.float32(scene.scale)
    scene.fill(nests, Region.TUMOUR)
    if rng.random() < 0.35:
        dead = (depth > 55) & (scene.noise(60) > -0.3)
        scene.fill(dead, Region.NECROSIS)
    if rng.random() < 1 - scene.style.grade:
        # Well differentiated tumours still form lumina, though uneven ones.
        spots = scene.inside(scene.grid(85, 0.35), depth > 16)
        size = rng.uniform(6, 20, len(spots)) * scene.scale
        scene.fill(draw_mask(scene.shape, outlines(rng, spots, size, elongation=0.6, wobble=0.2)), Region.LUMEN)
    crowd(scene, scene.is_in(Region.TUMOUR), TUMOUR, 13.0)


def lobular(scene: Scene) -> None:
    """Small, even cells in single file through the stroma."""
    rng, scale = scene.rng, scene.scale
    kind = scene.style.apply(Kind(7.8, 6.2, 0.13, 0.84, 0.1, 0.07, 0.3, 0.5))
    across = scene.noise(260) * 80 + scene.noise(80) * 16
    turn = rng.uniform(0, np.pi)
    row, column = np.indices(scene.shape, sparse=True)
    across = (across + (row * np.cos(turn) - column * np.sin(turn)) / scale).astype(np.float32)
    # The stroma runs with the cords.
    scene.across = across * np.float32(scale)
    spacing = rng.uniform(24, 40)
    lines = zero_lines(np.sin(across * np.float32(np.pi / spacing)).astype(np.float32))
    lines &= scene.noise(40) + 0.6 * scene.noise(120) > rng.uniform(-0.1, 0.4)
    angle = direction_of(across[::COARSE, ::COARSE])
    y, x = np.nonzero(lines)
    beat = rng.permutation(len(x))
    files = np.stack([x, y], axis=1)[beat].astype(float)
    files = _thinned(files, 8.5 * scale)
    scene.fill(distance_to(lines) < 4.6 * scale, Region.TUMOUR)
    scene.add(files, kind, at(angle, files, COARSE))
    scene.cell_centres.append(files)


def _thinned(position: Positions, distance: float) -> Positions:
    """Return one position for each square of a grid with sides of `distance` pixels."""
    if not len(position):
        return position
    cell = np.floor(position / max(distance, 1.0)).astype(np.int64)
    _, first = np.unique(cell[:, 0] * 100_003 + cell[:, 1], return_index=True)
    kept: Positions = position[np.sort(first)]
    return kept


def mucinous(scene: Scene) -> None:
    """Pools of mucin, parted by thin walls of stroma, in which islands of tumour float."""
    rng, scale = scene.rng, scene.scale
    walls = np.abs(scene.noise(230) + 0.25 * scene.noise(60))
    pools = walls > np.quantile(walls[::4, ::4], rng.uniform(0.18, 0.4))
    scene.fill(pools, Region.MUCIN)
    depth = distance_to(~pools) / np.float32(scene.scale)
    spots = scene.inside(scene.grid(88, 0.3), depth > 12)
    spots = spots[rng.random(len(spots)) < 0.85]
    size = rng.uniform(14, 36, len(spots)) * scale
    islands = draw_mask(scene.shape, outlines(rng, spots, size, elongation=0.7, wobble=0.22))
    islands &= pools
    scene.fill(islands, Region.TUMOUR)
    crowd(scene, islands, TUMOUR, 12.0)


def papillary(scene: Scene) -> None:
    """Folded fronds: thin cores of stroma, crowded upright cells, narrow white spaces."""
    rng = scene.rng
    noise = scene.noise(rng.uniform(46, 64)) + 0.3 * scene.noise(28)
    away = distance_to(zero_lines(centred(scene, noise))) / np.float32(scene.scale)
    core = 4.0 * np.clip(1 + 0.6 * scene.noise(60), 0.3, 2.5)
    height = rng.uniform(12, 18)
    zone = ragged(scene, scene.noise(300) + 0.2 * scene.noise(60), rng.uniform(0.7, 0.95))
    zone |= distance_to(zone) < 30 * scene.scale
    scene.fill(zone, Region.LUMEN)
    fronds = (away < core + height) & zone
    scene.fill(fronds, Region.TUMOUR)
    scene.fill((away < core) & zone, Region.STROMA)
    kind = scene.style.apply(Kind(9.4, 5.2, 0.15, 0.84, 0.12, 0.08, 0.35, 0.3))
    rows = (0.25, 0.65) if height > 14 else (0.5,)
    for share in rows:
        palisade(scene, (away < core + share * height) & zone, kind, 6.8 * scene.style.crowding, upright=True)


def unremarkable(scene: Scene) -> None:
    """A field beside the lesion: fibrous stroma, fat, now and then a normal duct or lobule."""
    rng, scale = scene.rng, scene.scale
    if rng.random() < 0.6:
        scene.fill(fat_mask(scene, rng.uniform(0.15, 0.5)), Region.FAT)
    stroma = scene.is_in(Region.STROMA)
    if rng.random() < 0.6:
        spots = scene.inside(scene.grid(260, 0.3), stroma)
        size = rng.uniform(28, 55, len(spots)) * scale
        shapes = outlines(rng, spots, size, elongation=0.5, wobble=0.1)
        line_with_epithelium(scene, draw_mask(scene.shape, shapes), thickness=12, secretion=0.3)
    else:
        _acini(scene, 44, 16, ragged(scene, scene.noise(200), 0.15) & stroma, wobble=0.1)
    if rng.random() < 0.3:
        infiltrate = ragged(scene, scene.noise(110), 0.06) & stroma
        scene.add(scene.inside(scene.grid(8.5), infiltrate), LYMPHOCYTE)


GROWTH: Mapping[str, Callable[[Scene], None]] = MappingProxyType(
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
