"""From images to slides and cases: one probability for what has one diagnosis."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.errors import EvaluationError

if TYPE_CHECKING:
    from breastcls.predictions.predictions import Level, Predictions

LEVELS = ("image", "slide", "case")
AGGREGATIONS = ("mean", "mean-logit", "majority", "maximum")
MIXED = ("error", "last", "drop")
Floats = npt.NDArray[np.float64]


def aggregate(predictions: Predictions, level: str, how: str, mixed: str) -> Predictions:
    """Aggregate images to slides or cases; see `Predictions.at_level`."""
    for name, value, known in (("level", level, LEVELS), ("how", how, AGGREGATIONS), ("mixed", mixed, MIXED)):
        if value not in known:
            raise EvaluationError(f"`{name}` is {value!r}; expected one of {', '.join(map(repr, known))}.")
    if level == predictions.level:
        return predictions
    if predictions.level != "image":
        raise EvaluationError(
            f"These predictions are by {predictions.level} already; aggregate the images' own instead."
        )
    groups = _groups_of(predictions, level)
    labels, kept = _labels_of(predictions.labels, groups, predictions.classes, level, mixed)
    probabilities = _combine(predictions, groups, how)
    first = np.unique(groups, return_index=True)[1]
    shared = {
        name: _shared(getattr(predictions, name), groups, first, missing)
        for name, missing in (("cases", ""), ("slides", ""), ("subtypes", ""), ("magnifications", -1))
    }
    whole = dataclasses.replace(
        predictions,
        probabilities=probabilities.astype(np.float32),
        labels=labels,
        paths=None,
        # Half of the votes decide; a threshold for one image's probability has been used in them.
        threshold=None if how == "majority" else predictions.threshold,
        level=cast("Level", level),
        how=how,
        **shared,
    )
    return whole if kept.all() else whole[kept]


def scored_images(predictions: Predictions, level: str, mixed: str) -> Predictions:
    """Return the images behind what is scored at a level, each with the class of its slide or case.

    Those of slides or cases that `mixed` drops are left out.
    """
    if level == predictions.level:
        return predictions
    groups = _groups_of(predictions, level)
    labels, kept = _labels_of(predictions.labels, groups, predictions.classes, level, mixed)
    relabelled = dataclasses.replace(predictions, labels=labels[groups])
    return relabelled if kept.all() else relabelled[kept[groups]]


def mixed_units(predictions: Predictions, level: str) -> tuple[int, int]:
    """Return how many slides or cases hold images of several classes, and how many there are."""
    low, high = _label_range(predictions.labels, _groups_of(predictions, level))
    return int((low != high).sum()), len(low)


def _groups_of(predictions: Predictions, level: str) -> npt.NDArray[np.int64]:
    """Return the index of each row's slide or case, in order of first appearance."""
    names = predictions.slides if level == "slide" else predictions.cases
    if names is None or (names == "").any():
        raise EvaluationError(f"Some images have no {level}; give `{level}s` for every image to score by {level}.")
    keys: Any = names
    if level == "slide" and predictions.cases is not None:
        # Two cases may number their slides alike; a slide belongs to one case.
        keys = pd.MultiIndex.from_arrays([predictions.cases, names])
    return np.asarray(pd.factorize(keys)[0], dtype=np.int64)


def _label_range(
    labels: npt.NDArray[np.int64], groups: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    count = int(groups.max()) + 1
    low = np.full(count, np.iinfo(np.int64).max)
    high = np.full(count, -1, dtype=np.int64)
    np.minimum.at(low, groups, labels)
    np.maximum.at(high, groups, labels)
    return low, high


def _labels_of(
    labels: npt.NDArray[np.int64], groups: npt.NDArray[Any], classes: tuple[str, ...], level: str, mixed: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    low, high = _label_range(labels, groups)
    count = len(low)
    several = low != high
    if several.any() and mixed == "error":
        raise EvaluationError(
            f"{int(several.sum())} of {count} {level}s hold images of several classes among {classes} and so have no "
            'class of their own. Score by image, or say mixed="last" (the last class among them counts: two classes, '
            'positive if any image is) or mixed="drop".'
        )
    kept = ~several if mixed == "drop" else np.ones(count, dtype=bool)
    if not kept.any():
        raise EvaluationError(f"Every {level} holds images of several classes; none is left to score.")
    return high, kept


def _combine(predictions: Predictions, groups: npt.NDArray[Any], how: str) -> Floats:
    wide = predictions.probabilities.astype(np.float64)
    classes = wide.shape[1]
    if how == "maximum":
        highest = np.zeros((int(groups.max()) + 1, classes))
        np.maximum.at(highest, groups, wide)
        if classes == 2:
            highest[:, 0] = 1.0 - highest[:, 1]
            return highest
        return np.asarray(highest / highest.sum(axis=1, keepdims=True))
    if how == "majority":
        return _mean_by_group(np.eye(classes)[predictions.decisions], groups)
    if how == "mean-logit":
        # float32 has no positive number below 1e-45; a probability of zero would veto all other images.
        mean = _mean_by_group(np.log(np.clip(wide, 1e-7, 1.0)), groups)
        scaled = np.exp(mean - mean.max(axis=1, keepdims=True))
        return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))
    return _mean_by_group(wide, groups)


def _mean_by_group(values: Floats, groups: npt.NDArray[Any]) -> Floats:
    sums = np.stack([np.bincount(groups, weights=column) for column in values.T], axis=1)
    return np.asarray(sums / np.bincount(groups)[:, None])


def _shared(values: Any, groups: npt.NDArray[Any], first: npt.NDArray[Any], missing: Any) -> Any:
    """Return each group's value where all its images agree, else `missing`; None where none is left."""
    if values is None:
        return None
    result = values[first].copy()
    disagree = np.zeros(len(first), dtype=bool)
    disagree[groups[values != result[groups]]] = True
    result[disagree] = missing
    return None if (result == missing).all() else result
