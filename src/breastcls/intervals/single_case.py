"""Shares of images that are all of one case: nothing is known of other cases, so there is no interval.

A bootstrap would give one without width, or what width the cases of other classes lend it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from breastcls.intervals.case_statistics import CaseStatistics


def class_shares_of_one_case(statistics: CaseStatistics) -> dict[str, npt.NDArray[np.bool_]]:
    """Return for each class whether the images that `recall` and `specificity` are shares of are all of one case.

    Those of the recall are the images of the class, those of the specificity all others; each bool (classes,).
    """
    images = statistics.confusion.sum(axis=2)
    rest = images.sum(axis=1, keepdims=True) - images
    return {"recall": (images > 0).sum(axis=0) == 1, "specificity": (rest > 0).sum(axis=0) == 1}


def shares_of_one_case(statistics: CaseStatistics) -> list[str]:
    """Return which metrics are shares of images that are all of one case: with two classes, of the positive one.

    With more classes recall and specificity are means over classes, which other cases have a part in.
    """
    if statistics.confusion.shape[1] != 2:
        return []
    return [metric for metric, of_one in class_shares_of_one_case(statistics).items() if of_one[1]]
