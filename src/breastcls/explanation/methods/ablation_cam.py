"""Ablation-CAM: channels weighted by the decrease of the score when the channel is set to zero, without gradients."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.layer_graph import LayerGraph
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel

# Number of copies of a feature map that are computed at once, as a multiple of the batch size: only the layers behind
# the feature map run on them, which for a late layer is a small part of a forward pass.
COPIES = 8


def ablation_cam(
    scored: ScoredModel,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    layer: str | None = None,
    channels: int | None = None,
) -> Attribution:
    """Weight each channel of a feature map by the decrease of the target score when the channel is set to zero.

    The paper divides the decrease by the score itself. This factor is the same for all channels of an image and is
    omitted: the map is scaled to 0..1 afterwards, and for a negative score it would exchange evidence for and against.
    The layers behind the feature map run once per channel, those in front of it once per image.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        layer: The layer whose feature map is used; None selects it, see `ScoredModel.feature_map`.
        channels: The number of channels used per image, those with the largest mean absolute value. None uses all
            channels, as in the paper.

    Raises:
        ExplanationError: If `channels` is less than one.

    References:
        Desai and Ramaswamy 2020, DOI 10.1109/WACV45572.2020.9093360.
    """
    if channels is not None and channels < 1:
        raise ExplanationError(f"channels is {channels}; expected 1 or more, or None for all.")
    feature_map = scored.feature_map(layer)
    features = scored.features(images, feature_map)
    copies = COPIES * scored.batch_size
    repeated = copies if _is_bypassed(scored.graph, feature_map.slot) else 1

    def score_ablated(pixels: Any, kept: Any) -> Any:
        def ablate(slot: int, value: Any) -> Any:
            if slot != feature_map.slot:
                return value
            factors = keras.ops.cast(kept, value.dtype)
            return value * keras.ops.reshape(factors, (-1, *(1,) * (len(value.shape) - 2), factors.shape[-1]))

        return scored.score_tensor(pixels, ablate)

    compute = scored.traced(f"ablated channels {feature_map.slot}", score_ablated)
    values = np.zeros(features.shape[:3], dtype=np.float32)
    for number, feature in enumerate(features):
        strength = np.abs(feature).mean(axis=(0, 1))
        order = np.argsort(-strength, kind="stable")[:channels]
        # A channel that is zero everywhere has no effect.
        chosen = order[strength[order] > 0.0]
        pixels = np.repeat(images[number : number + 1].astype(np.float32), repeated, axis=0)
        for start in range(0, len(chosen), copies - 1):
            part = chosen[start : start + copies - 1]
            # The last row keeps all channels. The number of rows is fixed, so that the function is traced once.
            kept = np.ones((copies, feature.shape[-1]), dtype=np.float32)
            kept[np.arange(len(part)), part] = 0.0
            scores = np.asarray(keras.ops.convert_to_numpy(compute(pixels, kept)))[:, targets[number]]
            values[number] += feature[..., part] @ (scores[-1] - scores[: len(part)])
    return Attribution(values)


ABLATION_CAM = Method(
    name="ablation-cam",
    compute=ablation_cam,
    title="Ablation-CAM",
    reference="Desai and Ramaswamy 2020, DOI 10.1109/WACV45572.2020.9093360",
    needs_feature_map=True,
    passes="1 forward, and the layers behind the feature map once per channel",
)


def _is_bypassed(graph: LayerGraph, slot: int) -> bool:
    """Return whether anything computed before the tensor of a slot is read after it, beside that tensor itself."""
    before = {0}
    passed = False
    for step in graph.steps:
        if passed and any(read in before and read != slot for read in step.inputs):
            return True
        if not passed:
            before.update(step.outputs)
            passed = slot in step.outputs
    return False
