"""Cross-validation of an exact head on features that are kept: what a permutation test repeats many times.

Nothing here needs Keras, so that worker processes start quickly.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.datasets.splitting import assign_parts, equal_fractions
from breastcls.errors import TrainingWarning
from breastcls.experiments.fold_scores import score_pooled_and_folds
from breastcls.features.linear_probe import fit_linear_probe
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.predictions import Predictions
from breastcls.training.class_weights import ClassWeight, class_weights


@dataclass(frozen=True, eq=False)
class ProbeFolds:
    """Features and everything that a cross-validation of an exact head needs but the labels.

    Attributes:
        train_features: float32 (versions, n, d), of the images as they are trained on.
        test_features: float32 (n, d), of the images as they are predicted.
        classes: Class names.
        cases: (n,).
        units: (n,), what is kept whole in a fold.
        keys: (n,), names that make the folds independent of the order of rows; None unless images are the units.
        slides: (n,).
        by: The name of the units.
        folds: Number of folds.
        seed: Of the folds, and of the folds within a training that choose the penalty.
        class_weight: As in `fit`.
        metric: What is scored.
        aggregation: The level that is scored.
    """

    train_features: npt.NDArray[np.float32]
    test_features: npt.NDArray[np.float32]
    classes: tuple[str, ...]
    cases: npt.NDArray[np.object_]
    units: npt.NDArray[np.object_]
    keys: npt.NDArray[Any] | None
    slides: npt.NDArray[np.object_]
    by: str
    folds: int
    seed: int
    class_weight: ClassWeight
    metric: str
    aggregation: Aggregation

    def predict(self, labels: npt.NDArray[np.int64]) -> tuple[Predictions, npt.NDArray[np.int64]]:
        """Fit a head on each training part of new folds; return the predictions and the fold of each image."""
        parts = assign_parts(
            self.units, labels, self.classes, equal_fractions(self.folds), seed=self.seed, by=self.by, keys=self.keys
        )
        probabilities = np.zeros((len(labels), len(self.classes)), dtype=np.float32)
        versions, _, width = self.train_features.shape
        for fold in range(self.folds):
            train, test = np.flatnonzero(parts != fold), np.flatnonzero(parts == fold)
            with warnings.catch_warnings():
                # That the penalty is assumed, with few cases, is part of the procedure that is repeated.
                warnings.simplefilter("ignore", TrainingWarning)
                probe = fit_linear_probe(
                    self.train_features[:, train].reshape(versions * len(train), width),
                    np.tile(labels[train], versions),
                    np.tile(self.cases[train], versions),
                    len(self.classes),
                    class_weight=class_weights(self.class_weight, labels[train], self.classes),
                    seed=self.seed,
                )
            probabilities[test] = probe.probabilities(self.test_features[test])
        predictions = Predictions.from_arrays(
            probabilities=probabilities, labels=labels, classes=self.classes, cases=self.cases, slides=self.slides
        )
        return predictions, parts

    def score(self, labels: npt.NDArray[np.int64]) -> tuple[float, float]:
        """Return the metric of the pooled predictions, and its mean over folds."""
        predictions, parts = self.predict(labels)
        return score_pooled_and_folds(predictions, parts, self.metric, self.aggregation)
