"""Pyramidal TIFF files, written tile by tile: memory does not depend on the size of the picture."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from breastcls.errors import OutputError
from breastcls.files import atomic_path, make_folder

TILE = 256
_LARGE = 2**31

# From top, left, height and width of a region to its pixels, (height, width) or (height, width, 3).
ReadRegion = Callable[[int, int, int, int], np.ndarray]


def write_pyramid(
    path: str | os.PathLike[str],
    size: tuple[int, int],
    read: ReadRegion,
    *,
    colour: bool,
    micrometres_per_pixel: float | None = None,
) -> Path:
    """Write a tiled TIFF with levels of half the size each, as OpenSlide, QuPath and tifffile read it.

    Args:
        path: The file, `.tif` or `.tiff`.
        size: (height, width) in pixels.
        read: Returns a region of the first level: uint8 RGB if `colour`, else float32.
        colour: Whether the picture is uint8 RGB, else float32 with one channel, NaN where there is nothing.
        micrometres_per_pixel: The physical size, which is written as the resolution in pixels per centimetre.

    Raises:
        OutputError: If tifffile is not installed, or the file cannot be written.
    """
    try:
        import tifffile
    except ImportError as error:
        raise OutputError("Pyramidal TIFF files need tifffile: pip install 'breastcls[tiff]'.") from error
    target = Path(path)
    if target.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError(f"Cannot write {target.name!r} as TIFF; the name has to end in .tif or .tiff.")
    large = size[0] * size[1] * (3 if colour else 4) > _LARGE
    make_folder(target.parent)
    with (
        tempfile.TemporaryDirectory(dir=target.parent, prefix=".pyramid-") as folder,
        atomic_path(target) as temporary,
        tifffile.TiffWriter(temporary, bigtiff=large) as writer,
    ):
        level = 0
        while True:
            last = max(size) <= TILE
            half = None if last else _make_level(Path(folder) / f"{level}.npy", size, colour)
            scale = 2**level
            options: dict[str, Any] = {}
            if micrometres_per_pixel is not None:
                per_centimetre = 1e4 / (micrometres_per_pixel * scale)
                options = {"resolution": (per_centimetre, per_centimetre), "resolutionunit": "CENTIMETER"}
            writer.write(
                _tiles(size, read, half, colour),
                shape=(*size, 3) if colour else size,
                dtype=np.uint8 if colour else np.float32,
                tile=(TILE, TILE),
                photometric="rgb" if colour else "minisblack",
                compression="adobe_deflate",
                subfiletype=1 if level else 0,
                software="breastcls",
                metadata=None,
                **options,
            )
            if half is None:
                break
            read, size, level = _reader(half), half.shape[:2], level + 1
    return target


def _make_level(path: Path, size: tuple[int, int], colour: bool) -> np.ndarray:
    """Return an array on disk for the next level."""
    half = (-(-size[0] // 2), -(-size[1] // 2))
    shape = (*half, 3) if colour else half
    return np.lib.format.open_memmap(path, "w+", np.uint8 if colour else np.float32, shape)


def _reader(values: np.ndarray) -> ReadRegion:
    return lambda top, left, height, width: values[top : top + height, left : left + width]


def _tiles(size: tuple[int, int], read: ReadRegion, half: np.ndarray | None, colour: bool) -> Iterator[np.ndarray]:
    """Yield the tiles of a level, row by row, and fill the next level with their means."""
    for top in range(0, size[0], TILE):
        for left in range(0, size[1], TILE):
            height, width = min(TILE, size[0] - top), min(TILE, size[1] - left)
            pixels = np.asarray(read(top, left, height, width))
            if half is not None:
                small = _halve(pixels)
                half[top // 2 : top // 2 + small.shape[0], left // 2 : left // 2 + small.shape[1]] = small
            tile = np.full((TILE, TILE, 3) if colour else (TILE, TILE), 255 if colour else np.nan, pixels.dtype)
            tile[:height, :width] = pixels
            yield tile


def _halve(pixels: np.ndarray) -> np.ndarray:
    """Return the means of squares of two by two pixels, of those that are known."""
    padding = [(0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), *[(0, 0)] * (pixels.ndim - 2)]
    values = np.pad(pixels, padding, mode="edge").astype(np.float32)
    parts = np.stack([values[row::2, column::2] for row in (0, 1) for column in (0, 1)])
    if pixels.dtype == np.uint8:
        return np.asarray(np.rint(parts.mean(axis=0)).astype(np.uint8))
    known = np.isfinite(parts)
    count = known.sum(axis=0)
    total = np.where(known, parts, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
