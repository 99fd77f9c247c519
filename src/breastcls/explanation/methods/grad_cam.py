"""Grad-CAM: channels of a feature map weighted by their mean gradient."""

from __future__ import annotations

import numpy as np

from breastcls.explanation.methods.gradient_cam import gradient_cam


def grad_cam(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Weight each channel of a feature map by the mean of its gradient over all positions, and sum over channels.

    For a model that ends in global average pooling and one dense layer this is the class activation map of Zhou et al.
    2016 (arXiv:1512.04150), divided by the number of positions.
    """
    weights = gradients.mean(axis=(1, 2))
    values: np.ndarray = np.einsum("nhwc,nc->nhw", features, weights)
    return values


GRAD_CAM = gradient_cam("grad-cam", "Grad-CAM", "Selvaraju et al. 2017, DOI 10.1109/ICCV.2017.74", grad_cam)
