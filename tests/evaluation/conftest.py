"""Random predictions with the troubles of real ones: cases of several images, ties, uneven sizes."""

from collections.abc import Callable

import numpy as np
import pytest

from breastcls.evaluation.predictions import Predictions

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
