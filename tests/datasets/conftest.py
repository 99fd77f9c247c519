"""Small images of coloured noise with names of BreakHis."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest


def write_image(path: Path, seed: int, size: tuple[int, int] = (12, 16)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.fixture
def draw() -> Callable[..., Path]:
    return write_image


@pytest.fixture
def names() -> Sequence[str]:
    """Two subtypes of three slides each, one case with two slides."""
    slides = ["B_A-14-1AB", "B_A-14-1CD", "B_F-14-2", "M_DC-14-3", "M_DC-14-4", "M_MC-15-5EF"]
    return [
        f"SOB_{slide}-{magnification}-{n:03}.png" for slide in slides for magnification in (40, 200) for n in (1, 2)
    ]


@pytest.fixture
def flat(tmp_path: Path, names: Sequence[str]) -> Path:
    for seed, name in enumerate(names):
        write_image(tmp_path / "flat" / name, seed)
    return tmp_path / "flat"
