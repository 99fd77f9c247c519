"""HiResCAM: gradient times feature map at each position."""

from __future__ import annotations

import numpy as np

from breastcls.explanation.gradients.score_gradients import feature_gradients
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel


def hires_cam(scored: ScoredModel, images: np.ndarray, targets: np.ndarray, *, layer: str | None = None) -> Attribution:
    """Multiply a feature map by its gradient at each position, and sum over channels.

    Where the head is linear in the feature map (flattening and one dense layer) the values sum to the score minus the
    bias, so the map shows exactly the contribution of each position. Grad-CAM, which averages gradients first, does not
    have this property.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        layer: The layer whose feature map is used; None selects it, see `ScoredModel.feature_map`.

    References:
        Draelos and Carin 2020, arXiv:2011.08891.
    """
    features, gradients = feature_gradients(scored, images, targets, scored.feature_map(layer))
    return Attribution((features * gradients).sum(axis=-1))


HIRES_CAM = Method(
    name="hires-cam",
    compute=hires_cam,
    title="HiResCAM",
    reference="Draelos and Carin 2020, arXiv:2011.08891",
    needs_feature_map=True,
)
