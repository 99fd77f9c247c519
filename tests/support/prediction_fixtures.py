"""Random predictions with the troubles of real ones: cases of several images, ties, uneven sizes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.predictions.predictions import Predictions

BINARY = ("benign", "malignant")


def make_predictions(
    seed: int = 0,
    images: int = 300,
    cases: int = 24,
    classes: tuple[str, ...] = BINARY,
    *,
    mixed: bool = False,
    ties: bool = True,
) -> Predictions:
    """Draw predictions; `mixed` gives cases images of several classes, `ties` rounds the probabilities."""
    generator = np.random.default_rng(seed)
    case = np.concatenate([np.arange(cases), generator.integers(0, cases, images - cases)])
    by_case = np.arange(cases) % len(classes)
    labels = generator.integers(0, len(classes), images) if mixed else by_case[case]
    shift = generator.normal(size=(cases, len(classes)))[case]
    logits = generator.normal(size=(images, len(classes))) + 0.7 * shift + 1.2 * np.eye(len(classes))[labels]
    if ties:
        logits = logits.round(0)
    scaled = np.exp(logits)
    half = generator.integers(0, 2, images)
    return Predictions.from_arrays(
        probabilities=scaled / scaled.sum(axis=1, keepdims=True),
        labels=labels,
        classes=classes,
        cases=[f"case {number:02d}" for number in case],
        slides=[f"slide {number:02d}-{part}" for number, part in zip(case, half, strict=True)],
        magnifications=generator.choice([40, 100], images),
        subtypes=[f"{classes[label]} {part}" for label, part in zip(labels, case % 2, strict=True)],
    )


@pytest.fixture
def draw() -> Callable[..., Predictions]:
    return make_predictions


def draw_images(folder: Path, cases: int = 10, images: int = 4, size: tuple[int, int] = (24, 30)) -> Dataset:
    """Draw images: every second case is malignant, more purple and more finely grained; each has two slides."""
    generator = np.random.default_rng(0)
    rows = []
    for case in range(cases):
        base = generator.normal((205, 140, 190), 6) + (case % 2) * np.array([-35, 0, -5])
        for image in range(images):
            texture = cv2.GaussianBlur(generator.normal(0, 60, (*size, 3)), (0, 0), 2.0 - (case % 2))
            path = folder / f"{case}-{image}.png"
            pixels = np.clip(base + texture + generator.normal(0, 8, 3), 0, 255).astype(np.uint8)
            cv2.imwrite(str(path), pixels[:, :, ::-1])
            rows.append((str(path), BINARY[case % 2], f"case {case}", f"slide {case}-{image % 2}"))
    path, label, of_case, slide = zip(*rows, strict=True)
    return Dataset.from_columns(BINARY, path=path, label=label, case=of_case, slide=slide)


def make_colour_model(size: tuple[int, int] = (16, 16), **card: Any) -> Any:
    """Build a model that calls malignant what has little red, by a fixed rule, and looks at the brightest spot too."""
    import keras

    from breastcls.models.model_card import ModelCard, set_card

    pixels = keras.Input((*size, 3))
    scaled = keras.layers.Rescaling(1 / 255)(pixels)
    mean = keras.layers.GlobalAveragePooling2D()(scaled)
    peak = keras.layers.GlobalMaxPooling2D()(keras.layers.AveragePooling2D(2)(scaled))
    scores = keras.layers.Dense(2, "softmax")
    model = keras.Model(pixels, scores(keras.layers.Concatenate()([mean, peak])))
    weights = np.zeros((6, 2), np.float32)
    weights[0, 1], weights[3, 1] = -25, -5
    scores.set_weights([weights, np.array([0, 25 * 0.74 + 5 * 0.95], np.float32)])
    set_card(model, ModelCard(classes=BINARY, image_size=size, **card))
    return model


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """40 small images of ten cases on disk, distinguished by colour."""
    return draw_images(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def colour_model() -> Callable[..., Any]:
    return make_colour_model
