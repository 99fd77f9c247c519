"""The number of cases that each metric depends on, counted per class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from breastcls.metrics.metric_descriptions import describe_metric

Integers = npt.NDArray[np.int64]


def fewest_cases(holds: npt.NDArray[np.bool_]) -> int:
    """Return the number of cases of the class with the fewest, of the classes that any case holds.

    Args:
        holds: bool (cases, classes), whether a case has images of a class.
    """
    cases = holds.sum(axis=0)
    return int(cases[cases > 0].min(initial=len(holds)))


def count_support(metrics: Sequence[str], holds: npt.NDArray[np.bool_]) -> Integers:
    """Return for each metric of a test set the number of cases of the class with the fewest that it depends on.

    Args:
        metrics: Their names; see `MetricDescription.rests_on`.
        holds: bool (cases, classes), whether a case has images of a class. With more than two classes every metric is a
            mean over the classes, and depends on each.

    Returns:
        int64 (metrics,).

    Example:
        >>> holds = np.array([[True, False], [False, True], [False, True]])
        >>> count_support(("recall", "specificity", "roc_auc"), holds).tolist()
        [2, 1, 1]
    """
    fewest = fewest_cases(holds)
    if holds.shape[1] != 2:
        return np.full(len(metrics), fewest, dtype=np.int64)
    negatives, positives = holds.sum(axis=0).tolist()
    counts = {"every class": fewest, "class": positives, "other classes": negatives}
    return np.array([counts[describe_metric(name).rests_on] for name in metrics], dtype=np.int64)


def count_class_support(metrics: Sequence[str], holds: npt.NDArray[np.bool_]) -> Integers:
    """Return the same for metrics of each class against the rest, the cases of all other classes counted together.

    Args:
        metrics: Their names.
        holds: bool (cases, classes), whether a case has images of a class.

    Returns:
        int64 (classes, metrics).
    """
    rows = []
    for index in range(holds.shape[1]):
        others = np.delete(holds, index, axis=1).any(axis=1)
        rows.append(count_support(metrics, np.column_stack([others, holds[:, index]])))
    return np.stack(rows)
