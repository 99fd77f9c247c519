"""Grad-CAM++: channels weighted by their positive gradients, so that each of several objects contributes."""

from __future__ import annotations

import numpy as np

from breastcls.explanation.methods.gradient_cam import gradient_cam


def grad_cam_plus_plus(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Weight each channel of a feature map by its positive gradients, each position by the higher derivatives.

    With S the class score, the paper explains exp(S), whose derivatives follow from those of S. The factor exp(S) is
    the same at all positions of an image and is omitted here, because the map is scaled to 0..1 afterwards and exp(S)
    overflows for large scores. As in the paper, the weights alpha of a channel are normalised to a sum of one over its
    positions.
    """
    # In float64, because the third power of a small gradient underflows in float32.
    gradient = gradients.astype(np.float64)
    squared = gradient**2
    denominator = 2.0 * squared + gradient**3 * features.sum(axis=(1, 2), keepdims=True, dtype=np.float64)
    alpha = np.divide(squared, denominator, out=np.zeros_like(squared), where=denominator != 0.0)
    total = alpha.sum(axis=(1, 2), keepdims=True)
    alpha = np.divide(alpha, total, out=np.zeros_like(alpha), where=total != 0.0)
    weights = (np.maximum(gradient, 0.0) * alpha).sum(axis=(1, 2))
    values: np.ndarray = np.einsum("nhwc,nc->nhw", features, weights).astype(np.float32)
    return values


GRAD_CAM_PLUS_PLUS = gradient_cam(
    "grad-cam++", "Grad-CAM++", "Chattopadhay et al. 2018, DOI 10.1109/WACV.2018.00097", grad_cam_plus_plus
)
