"""The colour-only baseline: what the colour of the images alone predicts on the same split.

Staining differs between laboratories, days and slides, and so between cases. Mean and standard deviation of red, green
and blue hold no information on the structure of the tissue: a score that this baseline also reaches may come from
staining.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from breastcls.baselines.baseline import Baseline, Classifier
from breastcls.datasets.dataset import Dataset
from breastcls.images.image_features import Features
from breastcls.images.resize import Pixels


def colour_features(image: Pixels) -> Features:
    """Return mean and standard deviation of red, green and blue, float64 (6,), of an image uint8 (h, w, 3).

    Example:
        >>> colour_features(np.full((2, 2, 3), (200, 100, 50), np.uint8)).tolist()
        [200.0, 100.0, 50.0, 0.0, 0.0, 0.0]
    """
    pixels = image.reshape(-1, 3)
    return np.concatenate([pixels.mean(axis=0, dtype=np.float64), pixels.std(axis=0, dtype=np.float64)])


def fit_logistic_regression(features: Features, train: Dataset, seed: int) -> Classifier:
    """Fit a logistic regression on features (n, features) with balanced class weights; it is deterministic."""
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
    model.fit(features, train.labels)
    return lambda others: cast("Features", model.predict_proba(others))


COLOUR = Baseline(
    "colour",
    "Mean and standard deviation of red, green and blue; logistic regression.",
    colour_features,
    fit_logistic_regression,
)
