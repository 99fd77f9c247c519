"""HiResCAM: gradient times feature map at each position."""

from __future__ import annotations

import numpy as np

from breastcls.explanation.methods.gradient_cam import gradient_cam


def hires_cam(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Multiply a feature map by its gradient at each position, and sum over channels.

    Where the head is linear in the feature map (flattening and one dense layer) the values sum to the score minus the
    bias, so the map shows exactly the contribution of each position. Grad-CAM, which averages gradients first, does not
    have this property.
    """
    values: np.ndarray = (features * gradients).sum(axis=-1)
    return values


HIRES_CAM = gradient_cam("hires-cam", "HiResCAM", "Draelos and Carin 2020, arXiv:2011.08891", hires_cam)
