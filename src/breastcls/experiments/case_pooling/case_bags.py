"""The images of each case of a dataset with vectors, and the class of the case."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_argument import require_dataset
from breastcls.errors import TrainingError
from breastcls.experiments.case_pooling.attention_pooling import Bags, Integers
from breastcls.text_tables import choose_form, format_count


@dataclass(frozen=True, eq=False)
class CaseBags:
    """The images of each case.

    Attributes:
        bags: Their vectors, case by case.
        rows: int64 (n,), the position in the dataset of each row of the vectors.
        cases: (cases,), their names, in order of first appearance.
        labels: int64 (cases,), their class indices; -1 without labels.
    """

    bags: Bags
    rows: Integers
    cases: npt.NDArray[np.object_]
    labels: Integers


def make_bags(data: Dataset) -> CaseBags:
    """Return the images of each case of a dataset.

    Raises:
        DatasetError: If it is no dataset, or cases are not known.
        TrainingError: If it has no vectors, or a case holds images of several classes.
    """
    require_dataset("data", data)
    data.require_cases("Pooling over the images of a case")
    vectors = data.vectors
    if vectors is None:
        raise TrainingError(
            "Pooling over the images of a case needs vectors. Compute them with breastcls.features.extract_features, "
            "or read them with load_embeddings."
        )
    names, first, codes = np.unique(data.cases.astype(str), return_index=True, return_inverse=True)
    # In order of first appearance, as predictions by case.
    place = np.empty(len(names), np.int64)
    place[np.argsort(first, kind="stable")] = np.arange(len(names))
    member = place[codes]
    rows = np.argsort(member, kind="stable")
    starts = np.searchsorted(member[rows], np.arange(len(names)))
    labels = data.labels
    of_case = labels[rows[starts]]
    several = np.unique(member[labels != of_case[member]])
    cases = data.cases[rows[starts]]
    if len(several):
        raise TrainingError(
            f"{len(several)} of {format_count(len(names), 'case')} {choose_form(len(several), 'holds', 'hold')} images "
            f"of several classes, first {cases[several[0]]!r}, so that a case has no class to be predicted. Leave "
            "these cases out, or predict by image."
        )
    return CaseBags(Bags(np.asarray(vectors[rows], np.float64), starts), rows, cases, of_case)
