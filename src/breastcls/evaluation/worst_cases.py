"""The cases with the largest share of misclassified images, for review by a pathologist."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.intervals.case_statistics import case_codes
from breastcls.intervals.printed_table import PrintedTable
from breastcls.metrics.classification_metrics import log_losses, require_labels
from breastcls.predictions.predictions import Predictions

SEVERAL = "several"


def rank_cases(predictions: Predictions) -> pd.DataFrame | None:
    """Return one row per case, sorted by the share of its misclassified images, then by its mean log loss.

    Args:
        predictions: With known classes, by image in general.

    Returns:
        Index `case`; columns `class` (of its images; "several" where they differ), `subtype` (where known), `images`,
        `mistakes` (misclassified images), `error` (their share), `probability` (mean probability of the true class) and
        `log_loss` (mean). None where cases are not known.

    Raises:
        EvaluationError: If a true class is not known.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.9, 0.8, 0.6, 0.3], labels=[1, 1, 0, 0], cases=["a", "a", "b", "b"],
        ...     classes=("no", "yes"))
        >>> rank_cases(some)[["class", "images", "mistakes", "error"]].reset_index().values.tolist()
        [['b', 'no', 2, 1, 0.5], ['a', 'yes', 2, 0, 0.0]]
    """
    require_labels(predictions)
    if predictions.cases is None:
        return None
    codes = case_codes(predictions)
    images = np.bincount(codes)
    mistakes = np.bincount(codes, predictions.decisions != predictions.labels).astype(np.int64)
    truth = predictions.probabilities[np.arange(len(predictions)), predictions.labels].astype(np.float64)
    columns: dict[str, Any] = {"class": _shared(np.array(predictions.classes, dtype=object)[predictions.labels], codes)}
    if predictions.subtypes is not None:
        columns["subtype"] = _shared(predictions.subtypes, codes)
    columns |= {
        "images": images,
        "mistakes": mistakes,
        "error": mistakes / images,
        "probability": np.bincount(codes, truth) / images,
        "log_loss": np.bincount(codes, log_losses(predictions)) / images,
    }
    names = predictions.cases[np.unique(codes, return_index=True)[1]]
    table = pd.DataFrame(columns, index=pd.Index(names, name="case"))
    return PrintedTable(table.sort_values(["error", "log_loss"], ascending=False, kind="stable"))


def _shared(values: npt.NDArray[Any], codes: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    """Return each case's value where all its images agree, else `SEVERAL`."""
    first = values[np.unique(codes, return_index=True)[1]].astype(object)
    first[np.unique(codes[values != first[codes]])] = SEVERAL
    return np.asarray(first)
