"""Synthetic whole-mount slides, tiled into patches as in the IDC data set."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from breastcls.datasets.synthetic.noise_textures import FloatMap, Mask, smooth_noise
from breastcls.datasets.synthetic.nuclei import LYMPHOCYTE, TUMOUR
from breastcls.datasets.synthetic.patterns import (
    fat_mask,
    fill_with_cells,
    line_with_epithelium,
    noise_region,
    outline_mask,
    outlines,
)
from breastcls.datasets.synthetic.scene import Region, Scene
from breastcls.datasets.synthetic.stain_maps import compute_stain_maps
from breastcls.datasets.synthetic.synthetic_stain import render, sample_stain
from breastcls.datasets.synthetic.tissue import sample_style

PATCH = 50
# Patches of 50 pixels were cut at about 2.5X, where a pixel is some 4 micrometres wide.
_PIXELS_PER_MICROMETRE = 0.25


@dataclass(frozen=True)
class Mosaic:
    """The tissue of one patient and its patches.

    Attributes:
        image: uint8 (height, width, 3), RGB: the whole area; height and width are multiples of 50.
        cells: (n, 2) row and column of each patch, in units of 50 pixels.
        positive: (n,) whether more than half of a patch is tumour.
    """

    image: NDArray[np.uint8]
    cells: NDArray[np.int64]
    positive: NDArray[np.bool_]


def generate_mosaic(patches: int, seed: np.random.SeedSequence) -> Mosaic:
    """Generate the tissue of one patient: a contiguous area of `patches` patches, part of which is tumour.

    Args:
        patches: Number of patches, at least 2; both classes occur.
        seed: Seed of the patient.

    Example:
        >>> mosaic = generate_mosaic(6, np.random.SeedSequence(1))
        >>> len(mosaic.cells), bool(mosaic.positive.any()), bool(mosaic.positive.all())
        (6, True, False)
    """
    # `seed.spawn` would return different children at a second call.
    style_seed, stain_seed, image_seed = (
        np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, part)) for part in range(3)
    )
    rng = np.random.default_rng(image_seed)
    cells = _connected_cells(rng, patches)
    cells -= cells.min(axis=0)
    rows, columns = cells.max(axis=0) + 1
    shape = (int(rows) * PATCH, int(columns) * PATCH)
    tumour, positive = _place_tumour(rng, shape, cells)

    style_rng = np.random.default_rng(style_seed)
    scene = Scene(rng, shape, _PIXELS_PER_MICROMETRE, sample_style(style_rng, "DC"))
    _fill(scene, tumour)
    haematoxylin, eosin = compute_stain_maps(scene)
    stain = sample_stain(style_rng, np.random.default_rng(stain_seed))
    return Mosaic(render(rng, haematoxylin, eosin, stain, 0.45), cells, positive)


def _connected_cells(rng: np.random.Generator, patches: int) -> NDArray[np.int64]:
    """Return `patches` connected cells of a grid, added in approximate order of distance from the first one."""
    taken = {(0, 0)}
    aspect = rng.uniform(0.7, 1.4)
    edge: dict[tuple[int, int], float] = {}
    cell = (0, 0)
    while len(taken) < patches:
        for row, column in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            near = (cell[0] + row, cell[1] + column)
            if near not in taken and near not in edge:
                edge[near] = float(np.hypot(near[0] * aspect, near[1]) * np.exp(rng.normal(0, 0.12)))
        cell = min(edge, key=lambda candidate: edge[candidate])
        del edge[cell]
        taken.add(cell)
    return np.array(sorted(taken), dtype=np.int64)


def _place_tumour(
    rng: np.random.Generator, shape: tuple[int, int], cells: NDArray[np.int64]
) -> tuple[Mask, NDArray[np.bool_]]:
    """Return the area of the tumour, and which patches it covers by more than half."""
    centre = (cells[rng.integers(len(cells))] + rng.uniform(0.2, 0.8, 2)) * PATCH
    row, column = np.indices(shape, sparse=True)
    distance = np.hypot(row - centre[0], column - centre[1]) / PATCH
    field: FloatMap = (distance + 0.45 * smooth_noise(rng, shape, 90) + 0.12 * smooth_noise(rng, shape, 25)).astype(
        np.float32
    )
    # The median of a patch is below a level exactly if more than half of its pixels are.
    tiles = field.reshape(shape[0] // PATCH, PATCH, shape[1] // PATCH, PATCH)
    medians = np.median(tiles, axis=(1, 3))[cells[:, 0], cells[:, 1]]
    order = np.sort(medians)
    count = int(np.clip(round(rng.uniform(0.22, 0.5) * len(cells)), 1, len(cells) - 1))
    level = float(order[count - 1] + order[count]) / 2
    return field < level, medians < level


def _fill(scene: Scene, tumour: Mask) -> None:
    """Fill the scene: fat, ducts and lobules outside of the tumour, nests of tumour cells inside."""
    rng, scale = scene.rng, scene.scale
    scene.fill(fat_mask(scene, rng.uniform(0.15, 0.4)) & ~tumour, Region.FAT)
    stroma = scene.is_in(Region.STROMA)
    lobules = noise_region(scene.noise(500), 0.12) & stroma & ~tumour
    acini = scene.inside(scene.grid(60, 0.2), lobules)
    ducts = scene.inside(scene.grid(650, 0.3), stroma)
    size = np.concatenate([rng.uniform(18, 30, len(acini)), rng.uniform(50, 110, len(ducts))]) * scale
    centres = np.concatenate([acini, ducts])
    glands = outline_mask(scene.shape, outlines(rng, centres, size, elongation=0.5, irregularity=0.1), gap=1)
    line_with_epithelium(scene, glands, thickness=14, secretion=0.1)
    nests = noise_region(scene.noise(110) + 0.4 * scene.noise(40), rng.uniform(0.45, 0.7))
    nests &= tumour & ~cv2.dilate(glands.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    scene.fill(nests, Region.TUMOUR)
    fill_with_cells(scene, nests, TUMOUR, 12.5)
    # Lymphocytic infiltrates occur around tumours, and elsewhere.
    infiltrate = noise_region(scene.noise(260), rng.uniform(0.03, 0.10)) & scene.is_in(Region.STROMA)
    scene.add(scene.inside(scene.grid(9), infiltrate), LYMPHOCYTE)
