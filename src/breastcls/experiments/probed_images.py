"""The images behind the vectors of several encoders: folds, level and baselines, found once for the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.baselines.baseline_predictions import cross_validate_baselines
from breastcls.datasets.dataset import Dataset
from breastcls.experiments.fold_plan import FoldPlan
from breastcls.experiments.fold_pooling import audit_folds
from breastcls.experiments.label_permutation import Permute, choose_level, choose_permutation
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.predictions import Predictions


@dataclass(frozen=True, eq=False)
class ProbedImages:
    """One set of images, and what does not depend on the encoder.

    Attributes:
        data: The images, with the vectors of the first encoder.
        names: The encoders whose vectors are of these images, in this order.
        parts: The fold of each image, from 1 on.
        permute: What is permuted: "cases" or "within-cases".
        aggregation: The level that is scored.
        baselines: Out-of-fold predictions by baseline; empty where the images are not known.
        notes: Sentences on what was left out.
    """

    data: Dataset
    names: tuple[str, ...]
    parts: npt.NDArray[np.int64]
    permute: Permute
    aggregation: Aggregation
    baselines: Mapping[str, Predictions]
    notes: tuple[str, ...]


def gather_images(
    named: Mapping[str, Dataset],
    plan: FoldPlan,
    *,
    baselines: Sequence[str] | None,
    permute: Permute | None,
    aggregation: Aggregation | Level | None,
) -> list[ProbedImages]:
    """Divide the images of each encoder into folds, and predict them by the baselines; see `probe`."""
    sets: dict[Any, list[str]] = {}
    for name, data in named.items():
        key = tuple(data.paths), data.labels.tobytes(), tuple(data.cases), data.classes
        sets.setdefault(key, []).append(name)
    found = []
    for names in sets.values():
        data = named[names[0]]
        parts, fold_of = plan.divide(data)
        audit_folds(parts).raise_if_leaking(allowed=plan.divides_cases, has_argument=False)
        wanted, notes = baselines, []
        if wanted is None:
            wanted = ("colour",) if data.has_images else ()
            if not wanted:
                notes.append(
                    f"The image files of {', '.join(names)} are not known, so there is no colour-only baseline: it "
                    "cannot be judged whether the vectors show more than colour."
                )
        predicted = {}
        if wanted:
            predicted = cross_validate_baselines(data, folds=len(parts), by=plan.by, baselines=wanted, seed=plan.seed)
        how = choose_permutation(data.labels, data.cases, permute)
        level = choose_level(how, aggregation)
        found.append(ProbedImages(data, tuple(names), fold_of, how, level, predicted, tuple(notes)))
    return found
