"""Rows of one slide or case: which they are, and one probability, label and value for all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.errors import EvaluationError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def group_rows(level: str, cases: npt.NDArray[Any] | None, slides: npt.NDArray[Any] | None) -> Integers:
    """Return the index of each row's slide or case, int64 (n,), in order of first appearance.

    Raises:
        EvaluationError: If the slide or case of a row is not known.
    """
    names = slides if level == "slide" else cases
    if names is None or (names == "").any():
        raise EvaluationError(f"Some images have no {level}; give `{level}s` for every image to score by {level}.")
    keys: Any = names
    if level == "slide" and cases is not None:
        # Two cases may number their slides alike; a slide belongs to one case.
        keys = pd.MultiIndex.from_arrays([cases, names])
    return np.asarray(pd.factorize(keys)[0], dtype=np.int64)


def label_ranges(labels: Integers, groups: Integers) -> tuple[Integers, Integers]:
    """Return the lowest and the highest class index of each group."""
    count = int(groups.max()) + 1
    low = np.full(count, np.iinfo(np.int64).max)
    high = np.full(count, -1, dtype=np.int64)
    np.minimum.at(low, groups, labels)
    np.maximum.at(high, groups, labels)
    return low, high


def label_groups(
    labels: Integers, groups: Integers, *, classes: tuple[str, ...], level: str, mixed_labels: str
) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Return the class index of each group, and which groups are kept; see `Aggregation`.

    Raises:
        EvaluationError: If a group has several classes and `mixed_labels` is "error", or if no group is left.
    """
    low, high = label_ranges(labels, groups)
    count = len(low)
    several = low != high
    if several.any() and mixed_labels == "error":
        raise EvaluationError(
            f"{int(several.sum())} of {count} {level}s hold images of several classes among {classes} and so have no "
            'class of their own. Score by image, or give the aggregation mixed_labels="last" (the last class among '
            'them counts: two classes, positive if any image is) or mixed_labels="drop".'
        )
    kept = ~several if mixed_labels == "drop" else np.ones(count, dtype=bool)
    if not kept.any():
        raise EvaluationError(f"Every {level} holds images of several classes; none is left to score.")
    return high, kept


def combine_rows(probabilities: npt.NDArray[Any], decisions: Integers, groups: Integers, method: str) -> Floats:
    """Return one value per group and class, float64 (groups, classes); see `Aggregation` for the methods."""
    wide = probabilities.astype(np.float64)
    classes = wide.shape[1]
    if method == "maximum":
        highest = np.zeros((int(groups.max()) + 1, classes))
        np.maximum.at(highest, groups, wide)
        if classes == 2:
            highest[:, 0] = 1.0 - highest[:, 1]
            return highest
        return np.asarray(highest / highest.sum(axis=1, keepdims=True))
    if method == "majority":
        return _mean_by_group(np.eye(classes)[decisions], groups)
    if method == "mean-logit":
        # float32 has no positive number below 1e-45; a probability of zero would veto all other images.
        mean = _mean_by_group(np.log(np.clip(wide, 1e-7, 1.0)), groups)
        scaled = np.exp(mean - mean.max(axis=1, keepdims=True))
        return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))
    return _mean_by_group(wide, groups)


def _mean_by_group(values: Floats, groups: Integers) -> Floats:
    sums = np.stack([np.bincount(groups, weights=column) for column in values.T], axis=1)
    return np.asarray(sums / np.bincount(groups)[:, None])


def common_values(values: Any, groups: Integers, missing: Any) -> Any:
    """Return each group's value where all its rows agree, else `missing`; None where no group has one."""
    if values is None:
        return None
    first = np.unique(groups, return_index=True)[1]
    result = values[first].copy()
    disagree = np.zeros(len(first), dtype=bool)
    disagree[groups[values != result[groups]]] = True
    result[disagree] = missing
    return None if (result == missing).all() else result
