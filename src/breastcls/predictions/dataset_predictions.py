"""Predictions from probabilities and the metadata of a dataset."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.predictions.prediction_columns import columns_of
from breastcls.predictions.predictions import Predictions


def predictions_of(
    data: Dataset, probabilities: Any, *, threshold: float | None = None, part: str | None = None
) -> Predictions:
    """Return predictions of the images of a dataset.

    Args:
        data: The images, in the order of the probabilities.
        probabilities: As in `Predictions.from_arrays`.
        threshold: As in `Predictions.from_arrays`.
        part: As in `Predictions.from_arrays`.

    Raises:
        EvaluationError: If the probabilities are not valid.

    Example:
        >>> data = Dataset.from_columns(("b", "m"), path=["1.png"], label=["m"], case=["x"])
        >>> predictions_of(data, [0.8]).cases.tolist()
        ['x']
    """
    table = data.table
    known = Predictions.from_arrays(
        probabilities=probabilities,
        labels=data.labels,
        classes=data.classes,
        cases=data.cases if data.has_cases else None,
        slides=_text(table["slide"].fillna(table["case"])),
        paths=data.paths,
        magnifications=table["magnification"].to_numpy(dtype=object),
        subtypes=table["subtype"].to_numpy(dtype=object),
        threshold=threshold,
        part=part,
        # The reader of the dataset has warned of similar names.
        distinct=True,
    )
    return dataclasses.replace(known, distinct=data.distinct, root=data.root, columns=columns_of(data))


def _text(values: pd.Series) -> np.ndarray:
    return values.fillna("").to_numpy(dtype=object)
