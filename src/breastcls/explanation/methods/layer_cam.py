"""LayerCAM: positive part of the gradient times feature map at each position."""

from __future__ import annotations

import numpy as np

from breastcls.explanation.gradients.score_gradients import feature_gradients
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel


def layer_cam(scored: ScoredModel, images: np.ndarray, targets: np.ndarray, *, layer: str | None = None) -> Attribution:
    """Multiply a feature map by the positive part of its gradient at each position, and sum over channels.

    The method is suited to earlier layers with a higher resolution too: pass one as `layer`.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        layer: The layer whose feature map is used; None selects it, see `ScoredModel.feature_map`.

    References:
        Jiang et al. 2021, DOI 10.1109/TIP.2021.3089943.
    """
    features, gradients = feature_gradients(scored, images, targets, scored.feature_map(layer))
    return Attribution((features * np.maximum(gradients, 0.0)).sum(axis=-1))


LAYER_CAM = Method(
    name="layer-cam",
    compute=layer_cam,
    title="LayerCAM",
    reference="Jiang et al. 2021, DOI 10.1109/TIP.2021.3089943",
    needs_feature_map=True,
)
