"""XGrad-CAM: channels weighted by their gradient, averaged with the activations as weights."""

from __future__ import annotations

import numpy as np

from breastcls.explanation.methods.gradient_cam import gradient_cam


def xgrad_cam(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Weight each channel of a feature map by its gradient, averaged over positions with the activations as weights.

    The weights follow from two axioms of the paper: removing a channel changes the score by its contribution
    (sensitivity), and the contributions add up to the score (conservation). For a model that ends in global average
    pooling and one dense layer the map equals that of Grad-CAM, divided by the number of positions.
    """
    activations = features.astype(np.float64)
    totals = activations.sum(axis=(1, 2))
    weighted = (activations * gradients).sum(axis=(1, 2))
    weights = np.divide(weighted, totals, out=np.zeros_like(totals), where=totals != 0.0)
    values: np.ndarray = np.einsum("nhwc,nc->nhw", activations, weights).astype(np.float32)
    return values


XGRAD_CAM = gradient_cam("xgrad-cam", "XGrad-CAM", "Fu et al. 2020, arXiv:2008.02312", xgrad_cam)
