"""The sum of class activation maps of several branches of a model, which differ in resolution."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from breastcls.explanation.feature_map import FeatureMap


def sum_branches(values: Sequence[np.ndarray], maps: Sequence[FeatureMap] = ()) -> np.ndarray:
    """Return the sum of the evidence of several branches at the resolution of the finest.

    The values of a map are shares of one score, so that the evidence of a position is divided among the positions that
    take its place at a higher resolution.

    Args:
        values: One array (n, height, width) per branch.
        maps: The feature maps that they belong to, to place them where these are in the image; nothing if the values
            are of the whole image.

    Returns:
        float32 (n, height, width). That of a single branch is returned as it is.

    Example:
        >>> coarse, fine = np.full((1, 1, 1), 8.0, np.float32), np.array([[[0, 1], [2, 3]]], np.float32)
        >>> sum_branches([coarse, fine]).tolist()
        [[[2.0, 3.0], [4.0, 5.0]]]
    """
    if maps:
        values = [item.placement.place(value) for item, value in zip(maps, values, strict=True)]
    if len(values) == 1:
        return values[0]
    height, width = max((value.shape[1:] for value in values), key=lambda sides: sides[0] * sides[1])
    total = np.zeros((len(values[0]), height, width), np.float32)
    for value in values:
        share = value.shape[1] * value.shape[2] / (height * width)
        for number, one in enumerate(value):
            enlarged = cv2.resize(one.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
            total[number] += share * enlarged
    return total
