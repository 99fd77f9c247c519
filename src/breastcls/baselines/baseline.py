"""A baseline: handcrafted features of an image and a classifier of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from breastcls.datasets.dataset import Dataset
from breastcls.images.image_features import FeatureExtractor, Features

Classifier = Callable[[Features], Features]
"""From features (n, features) to probabilities (n, classes present in training, ascending)."""
FitClassifier = Callable[[Features, Dataset, int], Classifier]
"""From the features of the training images, the training set and a seed to a classifier."""


@dataclass(frozen=True)
class Baseline:
    """A simple model to compare with.

    Attributes:
        name: Its name in the registry.
        summary: Its features and classifier in one sentence, with the source.
        extract: From an image uint8 (height, width, 3) to its features, float64 (features,).
        fit: From the features of the training images, the training set and a seed to a classifier.
    """

    name: str
    summary: str
    extract: FeatureExtractor
    fit: FitClassifier
