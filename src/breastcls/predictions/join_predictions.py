"""Joining the test predictions of several folds, in which every image is predicted once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from breastcls.errors import EvaluationError
from breastcls.predictions.prediction_columns import join_columns
from breastcls.predictions.predictions import Predictions
from breastcls.text_tables import choose_form, format_count

_OPTIONAL = ("cases", "slides", "paths", "magnifications", "subtypes", "prediction_sets", "ood")


def join_predictions(parts: Sequence[Predictions], *, part: str | None = "out-of-fold") -> Predictions:
    """Join predictions of different images into one table.

    Args:
        parts: Predictions with the same classes and level, one per fold.
        part: The part of the joined rows; "out-of-fold" where each is predicted by a model not trained on it.

    Returns:
        All rows, in the order of the parts. Metadata that is missing in one part is missing in the result. Of
        calibrations fitted per fold, the result records the cases that are in the fold that they were fitted for.

    Raises:
        EvaluationError: If there are none, classes or levels differ, or an image is in several parts.

    Example:
        >>> some = Predictions.from_arrays(probabilities=[0.9], labels=[1], cases=["a"], classes=("b", "m"))
        >>> len(join_predictions([some, some]))
        2
    """
    if not parts:
        raise EvaluationError("There are no predictions to join.")
    first = parts[0]
    for other in parts[1:]:
        if (other.classes, other.level, other.threshold) != (first.classes, first.level, first.threshold):
            raise EvaluationError(
                f"Predictions of {first.classes} by {first.level} at threshold {first.threshold} and of "
                f"{other.classes} by {other.level} at {other.threshold} cannot be joined: they must agree."
            )
    known: dict[str, Any] = {}
    for name in _OPTIONAL:
        values = [getattr(one, name) for one in parts]
        known[name] = None if any(value is None for value in values) else np.concatenate(values)
    if known["paths"] is not None:
        paths, counts = np.unique(known["paths"].astype(str), return_counts=True)
        if (counts > 1).any():
            raise EvaluationError(
                f"{format_count(int((counts > 1).sum()), 'image')} "
                f"{choose_form(int((counts > 1).sum()), 'is', 'are')} in several parts, first {paths[counts > 1][0]}: "
                "each would be "
                "counted more than once. Join folds whose test parts do not overlap."
            )
    return dataclasses.replace(
        first,
        probabilities=np.concatenate([one.probabilities for one in parts]),
        labels=np.concatenate([one.labels for one in parts]),
        part=part,
        calibration=_join_calibrations(parts),
        columns=join_columns([one.columns for one in parts]),
        engine=first.engine if all(one.engine == first.engine for one in parts) else None,
        distinct=frozenset().union(*(one.distinct for one in parts)),
        **known,
    )


def _join_calibrations(parts: Sequence[Predictions]) -> dict[str, Any] | None:
    records = [one.calibration for one in parts if one.calibration is not None]
    if not records:
        return None
    if len(records) == len(parts) and all(record == records[0] for record in records):
        return dict(records[0])
    # A case that one fold was calibrated on may be scored in another: only within a fold is it a leak.
    own: set[str] = set()
    for one in parts:
        if one.calibration is not None and one.cases is not None:
            own |= set(one.cases.tolist()) & set(one.calibration.get("cases", ()))
    return {
        "method": " and ".join(sorted({record["method"] for record in records})),
        "level": parts[0].level,
        "aggregation_method": parts[0].aggregation_method,
        "images": sum(record["images"] for record in records),
        "cases": sorted(own),
    }
