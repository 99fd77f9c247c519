"""Cross-validations of a probe under many labels: what a permutation test repeats.

Nothing here needs Keras.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from breastcls.datasets.splitting import assign_parts, equal_fractions
from breastcls.experiments.fold_scores import FoldScorer
from breastcls.experiments.probe_splits import Integers, ProbeHead, predict_out_of_fold


@dataclass(frozen=True, eq=False)
class ProbeFolds:
    """A head and everything that its cross-validation needs but the labels.

    Attributes:
        head: What is fitted.
        scorer: How the predictions are scored.
        classes: Class names.
        units: (n,), what is kept whole in a fold.
        keys: (n,), names that make the folds independent of the order of rows; None unless images are the units.
        by: The name of the units.
        folds: Number of folds.
        seed: Of the folds.
    """

    head: ProbeHead
    scorer: FoldScorer
    classes: tuple[str, ...]
    units: npt.NDArray[np.object_]
    keys: npt.NDArray[Any] | None
    by: str
    folds: int
    seed: int

    @property
    def batch(self) -> int:
        """How many cross-validations are best scored at once."""
        return max(1, self.head.batch // self.folds)

    def divide(self, labels: Integers) -> Integers:
        """Return the fold of each image."""
        return assign_parts(
            self.units, labels, self.classes, equal_fractions(self.folds), seed=self.seed, by=self.by, keys=self.keys
        )

    def score(self, labels: Sequence[Integers]) -> list[tuple[float, float]]:
        """Return for each cross-validation the metric of the pooled predictions, and its mean over folds."""
        parts = [self.divide(one) for one in labels]
        predicted = predict_out_of_fold(self.head, labels, parts)
        return [self.scorer.score(*one) for one in zip(predicted, labels, parts, strict=True)]


def score_in_batches(
    folds: ProbeFolds, drawn: Sequence[Integers], workers: int | None = None
) -> list[tuple[float, float]]:
    """Score cross-validations under many labels on several threads.

    Args:
        folds: The cross-validation.
        drawn: The labels of each.
        workers: Number of threads; None for one per processor. The batches, and so the result, do not depend on it.
    """
    batches = [drawn[start : start + folds.batch] for start in range(0, len(drawn), folds.batch)]
    # Threads of products would compete with these.
    with threadpool_limits(limits=1), ThreadPoolExecutor(workers or os.cpu_count() or 1) as threads:
        return [one for batch in threads.map(folds.score, batches) for one in batch]
