"""Proportions of images that are all of one case: other cases are not sampled, so there is no confidence interval.

A bootstrap would give one of zero width, or one that varies only with the cases of other classes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from breastcls.intervals.case_statistics import CaseStatistics


def single_case_class_metrics(statistics: CaseStatistics) -> dict[str, npt.NDArray[np.bool_]]:
    """Return for each class whether the images in the denominator of `recall` and `specificity` are all of one case.

    For recall these are the images of the class, for specificity all others; each bool (classes,).
    """
    images = statistics.confusion.sum(axis=2)
    rest = images.sum(axis=1, keepdims=True) - images
    return {"recall": (images > 0).sum(axis=0) == 1, "specificity": (rest > 0).sum(axis=0) == 1}


def single_case_metrics(statistics: CaseStatistics) -> list[str]:
    """Return the metrics whose denominator is images of one case: with two classes, those of the positive class.

    With more classes recall and specificity are means over classes, to which other cases contribute.
    """
    if statistics.confusion.shape[1] != 2:
        return []
    return [metric for metric, of_one_case in single_case_class_metrics(statistics).items() if of_one_case[1]]
