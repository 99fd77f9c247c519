"""LayerCAM: positive part of the gradient times feature map at each position."""

from __future__ import annotations

import numpy as np

from breastcls.explanation.methods.gradient_cam import gradient_cam


def layer_cam(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Multiply a feature map by the positive part of its gradient at each position, and sum over channels.

    The method is suited to earlier layers with a higher resolution too: pass one as `layer`.
    """
    values: np.ndarray = (features * np.maximum(gradients, 0.0)).sum(axis=-1)
    return values


LAYER_CAM = gradient_cam("layer-cam", "LayerCAM", "Jiang et al. 2021, DOI 10.1109/TIP.2021.3089943", layer_cam)
