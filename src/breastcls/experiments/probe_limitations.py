"""The limitations of a probe: what was left out, few cases, and the number of comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from breastcls.experiments.fold_plan import FoldPlan
from breastcls.experiments.logistic_head import LogisticHead
from breastcls.experiments.neighbour_head import NeighbourHead
from breastcls.experiments.probe_splits import ProbeHead, ProbeSplit
from breastcls.experiments.probed_images import ProbedImages
from breastcls.features.linear_probe import ASSUMED_C
from breastcls.intervals.limitations import few_cases
from breastcls.text_tables import format_count


def few_shot_notes(head: ProbeHead, splits: Sequence[ProbeSplit], count: int) -> list[str]:
    """Return sentences on what a head does differently with `count` training cases of each class."""
    fewest = min(len(split.train) for split in splits)
    if isinstance(head, LogisticHead) and count == 1:
        return [f"With one case per class the penalty cannot be chosen over cases: C = {ASSUMED_C:g} is used."]
    if isinstance(head, NeighbourHead) and fewest < head.neighbours:
        return [
            f"With {format_count(count, 'case')} per class some draws have fewer than {head.neighbours} training "
            "images: all of them are neighbours of every image."
        ]
    return []


def assumed_penalty_notes(images: ProbedImages) -> list[str]:
    """Return a sentence if the penalty of the logistic regression cannot be chosen in some folds."""
    data = images.data
    pairs = pd.DataFrame({"case": data.cases, "label": data.labels, "fold": images.parts}).drop_duplicates()
    of_folds = pd.crosstab(pairs["label"], pairs["fold"])
    # The cases of a class that are left for training when a fold is held out.
    if int(of_folds.rsub(of_folds.sum(axis=1), axis=0).to_numpy().min()) > 1:
        return []
    return [
        "In some folds a class has one training case, so that the penalty of the logistic regression cannot be chosen "
        f"over cases: C = {ASSUMED_C:g} is used."
    ]


def find_probe_limitations(
    sets: Sequence[ProbedImages],
    counts: Mapping[str, Any],
    notes: Sequence[str],
    plan: FoldPlan,
    compared: int,
) -> tuple[str, ...]:
    """Return the limitations of the result, each once.

    Args:
        sets: The sets of images.
        counts: What each was scored on, by the name of its first encoder.
        notes: Sentences of the computation, which come first.
        plan: The folds.
        compared: Number of combinations of encoder and probe.
    """
    found = list(notes)
    if plan.divides_cases:
        found.append(f"The folds keep each {plan.by} whole, but not each case.")
    for images in sets:
        sentences = few_cases(counts[images.names[0]])
        found += [f"{images.names[0]}: {one}" for one in sentences] if len(sets) > 1 else sentences
    if compared > 1:
        found.append(
            f"{compared} combinations of encoder and probe are compared: the best of them was selected by its score, "
            "which is hence too high on average."
        )
    return tuple(dict.fromkeys(found))
