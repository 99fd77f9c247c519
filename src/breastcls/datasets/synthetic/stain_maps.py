"""Stain maps of a scene: concentrations of haematoxylin and eosin from regions and nuclei."""

from __future__ import annotations

import cv2
import numpy as np

from breastcls.datasets.synthetic.noise_textures import (
    FloatMap,
    cell_borders,
    distance_to,
    fibre_direction,
    fibres,
    grain,
    smooth_noise,
)
from breastcls.datasets.synthetic.nuclei import FIBROBLAST, LYMPHOCYTE, Nuclei, draw_nuclei, sample_at
from breastcls.datasets.synthetic.scene import COARSE, Region, Scene

# Concentrations of eosin and haematoxylin outside of nuclei, by region.
_EOSIN = np.array([0.52, 0.46, 0.44, 0.015, 0.07, 0.015, 0.80, 0.42], np.float32)
_HAEMATOXYLIN = np.array([0.05, 0.20, 0.22, 0.005, 0.10, 0.005, 0.16, 0.05], np.float32)


def fibre_field(scene: Scene) -> tuple[FloatMap, FloatMap, FloatMap]:
    """Return the course of the fibres: wavy, and curved around everything that is not stroma.

    Returns:
        Coordinates along and across the fibres in pixels, (height, width), and the angle of the fibres in radians, a
        map that is `COARSE` times smaller.
    """
    rng, (height, width) = scene.rng, scene.shape
    turn = rng.uniform(0, np.pi)
    cosine, sine = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    along = x * cosine + y * sine
    if scene.across is not None:
        return along, scene.across, fibre_direction(scene.across[::COARSE, ::COARSE])
    # The direction of fibres varies slowly: a coarse map suffices and makes the wide blur below fast.
    across = (y * cosine - x * sine)[::COARSE, ::COARSE]
    scale = scene.scale / COARSE
    for period, height_of_wave in ((300.0, 70.0), (80.0, 9.0), (25.0, 1.5)):
        wave = smooth_noise(rng, (across.shape[0], across.shape[1]), period * scale)
        across = across + wave * np.float32(scene.style.waviness * height_of_wave * scene.scale)
    structure = scene.region[::COARSE, ::COARSE] != Region.STROMA
    if structure.any():
        away = cv2.GaussianBlur(distance_to(structure), (0, 0), max(0.5, 5 * scale)) * np.float32(COARSE)
        near = np.exp(-away / np.float32(16 * scene.scale)) * np.float32(0.6)
        across = across * (1 - near) + away * near
    fine: FloatMap = cv2.resize(across, (width, height), interpolation=cv2.INTER_LINEAR)
    return along, fine, fibre_direction(across)


def add_stroma_cells(scene: Scene, angle: FloatMap) -> None:
    """Place fibroblasts along the fibres, given their coarse `angle`, and lymphocytes in clusters."""
    stroma = scene.is_in(Region.STROMA)
    spots = scene.inside(scene.grid(scene.stroma_spacing, 0.4), stroma)
    spots = spots[scene.rng.random(len(spots)) < 0.75]
    scene.add(spots, FIBROBLAST, sample_at(angle, spots, COARSE))
    share = scene.style.inflammation
    if share > 0.005:
        density = scene.noise(70) + 0.6 * scene.noise(20)
        level = float(np.quantile(density[::4, ::4], 1 - share))
        scene.add(scene.inside(scene.grid(8.5), stroma & (density > level)), LYMPHOCYTE)
    few = scene.inside(scene.grid(75, 0.5), stroma)
    scene.add(few, LYMPHOCYTE)


def compute_stain_maps(scene: Scene) -> tuple[FloatMap, FloatMap]:
    """Return the concentrations of haematoxylin and eosin, float32 (height, width)."""
    rng, shape, scale = scene.rng, scene.shape, scene.scale
    along, across, angle = fibre_field(scene)
    add_stroma_cells(scene, angle)
    region = scene.region
    eosin, haematoxylin = np.take(_EOSIN, region), np.take(_HAEMATOXYLIN, region)
    stroma = region == Region.STROMA
    texture = _stroma_texture(scene, along, across) * np.float32(scene.collagen)
    np.multiply(eosin, texture, out=eosin, where=stroma)
    _add_secretions(scene, eosin, haematoxylin)
    _add_fat_cells(scene, eosin)
    cells = scene.is_in(Region.EPITHELIUM, Region.TUMOUR, Region.NECROSIS)
    if cells.any():
        mottle = 1 + 0.16 * scene.noise(4) + 0.12 * scene.noise(1.2)
        np.multiply(eosin, mottle, out=eosin, where=cells)
        np.multiply(haematoxylin, mottle, out=haematoxylin, where=cells)
        if scale > 1 and scene.cell_centres:
            borders = cell_borders(shape, np.concatenate(scene.cell_centres), 0.9 * scale)
            np.add(eosin, 0.30 * borders - np.float32(0.06), out=eosin, where=cells)
    edge = max(0.5, 0.35 * scale)
    eosin = cv2.GaussianBlur(eosin, (0, 0), edge)
    haematoxylin = cv2.GaussianBlur(haematoxylin, (0, 0), edge)
    if scene.nuclei:
        nuclei = Nuclei.concatenate(scene.nuclei)
        chromatin, share = draw_nuclei(rng, shape, nuclei, scale)
        scene.nuclear_cover = share
        haematoxylin = haematoxylin * (1 - share) + 1.35 * chromatin
        eosin = eosin * (1 - 0.25 * share)
    fine = 1 + 0.05 * grain(rng, shape)
    return np.maximum(haematoxylin * fine, 0), np.maximum(eosin * fine, 0)


def _stroma_texture(scene: Scene, along: FloatMap, across: FloatMap) -> FloatMap:
    """Return the factor on eosin due to fibres and the clefts between them, about 1 on average."""
    rng, scale = scene.rng, scene.scale
    bundles = fibres(rng, along, across, 60 * scale, 9 * scale)
    texture = 1 + 0.17 * bundles + 0.18 * scene.noise(90)
    if 2.2 * scale > 0.9:
        texture += 0.17 * fibres(rng, along, across, 20 * scale, 2.2 * scale)
        texture += 0.10 * scene.noise(2.0)
    # Collagen shrinks during fixation and tears along the fibres, which leaves thin white clefts.
    clefts = np.clip((bundles - 1.15) * 3.5, 0, 1) * np.clip(scene.noise(45) + 0.2, 0, 1)
    result: FloatMap = np.clip(texture, 0.25, 2.2) * (1 - 0.85 * clefts)
    return result


def _add_secretions(scene: Scene, eosin: FloatMap, haematoxylin: FloatMap) -> None:
    """Add the threads of mucin, the granules of secretion and the debris of necrosis."""
    mucin = scene.region == Region.MUCIN
    if mucin.any():
        threads = np.exp(-((scene.noise(40) * 2.5) ** 2)) * np.clip(0.5 + 0.5 * scene.noise(60), 0, 1.5)
        clouds = 0.6 + 0.35 * scene.noise(110) + 0.15 * scene.noise(6)
        haematoxylin[mucin] *= np.clip(clouds + 0.9 * threads, 0.05, 3)[mucin]
        eosin[mucin] *= np.clip(clouds + 0.6 * threads, 0.05, 3)[mucin]
    secretion = scene.region == Region.SECRETION
    if secretion.any():
        eosin[secretion] *= np.clip(1 + 0.35 * scene.noise(6), 0.1, 2)[secretion]
    necrosis = scene.region == Region.NECROSIS
    if necrosis.any():
        debris = np.clip(scene.noise(3.5) - 0.5, 0, 1)
        haematoxylin[necrosis] += (0.8 * debris)[necrosis]


def _add_fat_cells(scene: Scene, eosin: FloatMap) -> None:
    """Add the membranes of fat cells and their flat nuclei."""
    fat = scene.region == Region.FAT
    if not fat.any():
        return
    centres = scene.grid(62, 0.16)
    membranes = cell_borders(scene.shape, centres, max(1.0, 1.1 * scene.scale))
    eosin[fat] += (0.55 * membranes)[fat]
    rim = scene.inside(centres + np.array([0.0, 27 * scene.scale]), fat)
    rim = rim[scene.rng.random(len(rim)) < 0.4]
    scene.add(rim, FIBROBLAST, np.zeros(len(rim)))
