"""Cross-validations of a probe under many labels: what a permutation test repeats.

Nothing here needs Keras.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.image_rows import Unit
from breastcls.datasets.splitting import assign_parts, equal_fractions
from breastcls.errors import TrainingWarning
from breastcls.experiments.fold_scores import FoldScorer
from breastcls.experiments.probe_splits import Integers, ProbeHead, predict_out_of_fold


@dataclass(frozen=True, eq=False)
class LabelledFolds:
    """Labels and the folds that they give.

    Attributes:
        labels: int64 (n,).
        parts: The fold of each image, int64 (n,).
    """

    labels: Integers
    parts: Integers


def divide_again(data: Dataset, labels: Sequence[Integers], folds: int, by: Unit, seed: int) -> list[LabelledFolds]:
    """Divide images into folds as `Dataset.folds` does, but by other labels.

    Args:
        data: The images.
        labels: The labels of each division.
        folds: Number of folds.
        by: Unit that is kept whole.
        seed: Seed of the folds.
    """
    units = data.units(by)
    keys: npt.NDArray[np.object_] | None = None
    if by == "image":
        # Names that make the folds independent of the order of rows.
        keys = np.array([f"{os.path.basename(path)}|{path}" for path in data.paths], dtype=object)
    fractions = equal_fractions(folds)
    return [
        LabelledFolds(one, assign_parts(units, one, data.classes, fractions, seed=seed, by=by, keys=keys))
        for one in labels
    ]


def score_in_batches(
    head: ProbeHead, scorer: FoldScorer, divided: Sequence[LabelledFolds], workers: int | None = None
) -> list[tuple[float, float]]:
    """Return for each cross-validation the metric of the pooled predictions, and its mean over folds.

    Args:
        head: The classifier.
        scorer: How the predictions are scored.
        divided: The labels and folds of each cross-validation.
        workers: Number of threads; None for one per processor. The batches, and so the result, do not depend on it.
    """
    if not divided:
        return []
    size = max(1, head.batch // len(np.unique(divided[0].parts)))
    batches = [divided[start : start + size] for start in range(0, len(divided), size)]

    def score(batch: Sequence[LabelledFolds]) -> list[tuple[float, float]]:
        labels, parts = [one.labels for one in batch], [one.parts for one in batch]
        predicted = predict_out_of_fold(head, labels, parts)
        return [scorer.score(*one) for one in zip(predicted, labels, parts, strict=True)]

    # Threads of products would compete with these. Filters of warnings are not of one thread: the heads set them too.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        with threadpool_limits(limits=1), ThreadPoolExecutor(workers or os.cpu_count() or 1) as threads:
            return [one for batch in threads.map(score, batches) for one in batch]
