"""Grad-CAM: channels of a feature map weighted by their mean gradient."""

from __future__ import annotations

import numpy as np

from breastcls.explanation.gradients.score_gradients import feature_gradients
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel


def grad_cam(scored: ScoredModel, images: np.ndarray, targets: np.ndarray, *, layer: str | None = None) -> Attribution:
    """Weight each channel of a feature map by the mean of its gradient over all positions, and sum over channels.

    For a model that ends in global average pooling and one dense layer this is the class activation map of Zhou et al.
    2016 (arXiv:1512.04150), divided by the number of positions.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        layer: The layer whose feature map is used; None selects it, see `ScoredModel.feature_map`.

    References:
        Selvaraju et al. 2017, DOI 10.1109/ICCV.2017.74.
    """
    features, gradients = feature_gradients(scored, images, targets, scored.feature_map(layer))
    weights = gradients.mean(axis=(1, 2))
    return Attribution(np.einsum("nhwc,nc->nhw", features, weights))


GRAD_CAM = Method(
    name="grad-cam",
    compute=grad_cam,
    title="Grad-CAM",
    reference="Selvaraju et al. 2017, DOI 10.1109/ICCV.2017.74",
    needs_feature_map=True,
)
