"""LayerCAM of several stages of a network, fused to one map of the resolution of the finest."""

from __future__ import annotations

from itertools import takewhile

import cv2
import numpy as np

from breastcls.argument_checks import check_count
from breastcls.errors import ExplanationError
from breastcls.explanation.feature_map import FeatureMap, list_feature_maps
from breastcls.explanation.gradients.score_gradients import feature_gradients
from breastcls.explanation.methods.layer_cam import layer_cam
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel

# The factor of the paper in front of the hyperbolic tangent that raises the maps of earlier stages.
SCALE = 2.0


def fused_layer_cam(scored: ScoredModel, images: np.ndarray, targets: np.ndarray, *, stages: int = 3) -> Attribution:
    """Compute LayerCAM at the last layer of the last stages of a network, and take the largest value of each position.

    A stage is the part of a network with feature maps of one resolution. Each map is set to zero where it is negative
    and scaled to its maximum; those of earlier stages become tanh(2 map), as in the paper, because few of their values
    are high. The maps are enlarged to the resolution of the finest.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        stages: Number of stages, the last ones. One gives LayerCAM of the last stage.

    Raises:
        ExplanationError: If `stages` is less than one, or the model has no feature map or several branches.

    References:
        Jiang et al. 2021, DOI 10.1109/TIP.2021.3089943.
    """
    check_count("stages", stages, error=ExplanationError)
    maps = find_stages(scored, (images.shape[1], images.shape[2]))[-stages:]
    fused: np.ndarray | None = None
    # From the finest to the coarsest.
    for item in maps:
        values = item.placement.place(layer_cam(*feature_gradients(scored, images, targets, item)))
        values = np.maximum(values, 0.0)
        highest = values.max(axis=(1, 2), keepdims=True)
        values = np.divide(values, highest, out=np.zeros_like(values), where=highest > 0.0)
        if item is not maps[-1]:
            values = np.tanh(SCALE * values)
        if fused is None:
            fused = values
            continue
        size = fused.shape[2], fused.shape[1]
        enlarged = np.stack([cv2.resize(value, size, interpolation=cv2.INTER_LINEAR) for value in values])
        fused = np.maximum(fused, enlarged)
    assert fused is not None, "there is at least one stage"
    return Attribution(fused.astype(np.float32))


FUSED_LAYER_CAM = Method(
    name="fused-layer-cam",
    compute=fused_layer_cam,
    title="LayerCAM of several stages",
    reference="Jiang et al. 2021, DOI 10.1109/TIP.2021.3089943",
    needs_feature_map=True,
    passes="4 forward, and the layers behind each stage backward (`stages`)",
)


def find_stages(scored: ScoredModel, image_size: tuple[int, int]) -> tuple[FeatureMap, ...]:
    """Return the last feature map of each resolution below that of the image, from the finest to the coarsest.

    Raises:
        ExplanationError: If there is none, or one on each of several branches.
    """
    final = scored.feature_map()
    before = takewhile(lambda item: item.slot != final.slot, list_feature_maps(scored.graph, scored.shapes))
    area = image_size[0] * image_size[1]
    last = {item.shape[:2]: item for item in before if item.shape[0] * item.shape[1] < area}
    # The map that other class activation maps use is that of the last stage.
    last[final.shape[:2]] = final
    return tuple(sorted(last.values(), key=lambda item: -item.shape[0] * item.shape[1]))
