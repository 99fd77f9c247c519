"""Sensitivity and specificity at thresholds, for weighted cases."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from breastcls.errors import EvaluationError
from breastcls.intervals.case_statistics import case_codes, case_strata, classes_held
from breastcls.intervals.proportion_bounds import Proportions
from breastcls.intervals.weighted_counts import WeightedCounts
from breastcls.metrics.classification_metrics import require_labels
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]


class ThresholdRates:
    """Sensitivity and specificity at thresholds, of weighted cases."""

    def __init__(self, predictions: Predictions, thresholds: Floats) -> None:
        require_labels(predictions)
        if len(predictions.classes) != 2 or len(np.unique(predictions.labels)) != 2:
            raise EvaluationError("This needs predictions of two classes, with images of both.")
        codes = case_codes(predictions)
        self.strata = case_strata(predictions.labels, codes, 2)
        self.cases = classes_held(predictions.labels, codes, 2).sum(axis=0)
        positive = predictions.labels == 1
        steps, self._order = np.unique(thresholds.astype(np.float32), return_inverse=True)
        # How many of the ascending thresholds a score reaches.
        reached = np.searchsorted(steps, predictions.positive, side="right")
        # Sensitivity and specificity at the thresholds.
        self.proportions = (
            Proportions.reaching(reached[positive], codes[positive], self._order + 1),
            Proportions.reaching(reached[~positive], codes[~positive], self._order + 1).complement(),
        )
        # The counts of negative rows follow those of positive ones.
        self._levels = len(steps) + 1
        groups = np.where(positive, reached, reached + self._levels)
        self._counts = WeightedCounts(groups, codes, 2 * self._levels, len(self.strata))

    def measure(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Return sensitivity and specificity, (resamples, thresholds), and the share of positives, (resamples,)."""
        counts = self._counts.weigh(weights)
        below_positive = np.cumsum(counts[:, : self._levels], axis=1)
        below_negative = np.cumsum(counts[:, self._levels :], axis=1)
        positives, negatives = below_positive[:, -1:], below_negative[:, -1:]
        with np.errstate(invalid="ignore", divide="ignore"):
            sensitivity = (positives - below_positive[:, self._order]) / positives
            specificity = below_negative[:, self._order] / negatives
        return sensitivity, specificity, (positives / (positives + negatives))[:, 0]
