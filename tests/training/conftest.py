"""A task that a tiny network learns in seconds: benign cases are blue, malignant ones red, with noise."""

from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

import breastcls as bc


@pytest.fixture(scope="session")
def easy(tmp_path_factory: pytest.TempPathFactory) -> bc.Dataset:
    folder: Path = tmp_path_factory.mktemp("easy")
    rng = np.random.default_rng(0)
    paths, labels, cases = [], [], []
    for case in range(12):
        for number in range(4):
            pixels = rng.integers(60, 200, (32, 32, 3), dtype=np.uint8)
            pixels[..., 0 if case % 2 else 2] += np.uint8(50)
            path = folder / f"{case}-{number}.png"
            cv2.imwrite(str(path), pixels)
            paths.append(str(path))
            labels.append(("benign", "malignant")[case % 2])
            cases.append(f"case{case}")
    return bc.Dataset.from_columns(("benign", "malignant"), path=paths, label=labels, case=cases)


@pytest.fixture(scope="session")
def parts(easy):
    return easy.split((0.5, 0.25, 0.25), seed=1)


@pytest.fixture
def small():
    """Build the tiny model anew for each test."""

    def build(**options):
        return bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, weights=None, seed=3, **options)

    return build


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file, so that a model has a head phase and a fine-tuning phase."""
    model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, weights=None, seed=3)
    path = tmp_path_factory.mktemp("weights") / "own.weights.h5"
    next(layer for layer in model.layers if isinstance(layer, keras.Model)).save_weights(path)
    return path
