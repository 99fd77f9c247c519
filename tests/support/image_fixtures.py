"""Small pictures that no two of are alike, and folders of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def draw(seed: int, height: int = 40, width: int = 52) -> np.ndarray:
    """Draw soft coloured spots with some noise, so that neither JPEG nor resizing destroys them."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    picture = np.full((height, width, 3), (230, 200, 215), np.float64)
    for _ in range(6):
        row, column, radius = generator.uniform((0, 0, 3), (height, width, 12))
        spot = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / radius**2)
        picture -= spot[..., None] * generator.uniform((60, 110, 20), (150, 170, 90))
    return np.clip(picture + generator.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def picture() -> np.ndarray:
    return draw(0)


@pytest.fixture
def make_folder(tmp_path: Path):
    """Return a function that writes `count` PNG files and returns their paths."""

    def make(count: int, height: int = 40, width: int = 52, name: str = "images") -> list[str]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        paths = []
        for number in range(count):
            path = folder / f"{number:03d}.png"
            Image.fromarray(draw(number, height, width)).save(path)
            paths.append(str(path))
        return paths

    return make
