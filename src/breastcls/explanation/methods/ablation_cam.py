"""Ablation-CAM: channels weighted by the decrease of the score when the channel is set to zero, without gradients."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from breastcls.argument_checks import check_count
from breastcls.errors import ExplanationError
from breastcls.explanation.branch_sum import sum_branches
from breastcls.explanation.feature_map import FeatureMap
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
        layer: The layer whose feature map is used; None selects it, see `ScoredModel.feature_maps`. The maps of several
            branches are summed.
        channels: The number of channels used per image, those with the largest mean absolute value. None uses all
            channels, as in the paper.

    Raises:
        ExplanationError: If `channels` is less than one.

    References:
        Desai and Ramaswamy 2020, DOI 10.1109/WACV45572.2020.9093360.
    """
    check_count("channels", channels, optional=True, error=ExplanationError)
    maps = scored.feature_maps(layer)
    branches = [_weigh_channels(scored, images, targets, item, channels) for item in maps]
    return Attribution(sum_branches(branches, maps))


ABLATION_CAM = Method(
    name="ablation-cam",
    compute=ablation_cam,
    title="Ablation-CAM",
    reference="Desai and Ramaswamy 2020, DOI 10.1109/WACV45572.2020.9093360",
    needs_feature_map=True,
    passes="1 forward, and the layers behind the feature map once per channel",
)


def _weigh_channels(
    scored: ScoredModel, images: np.ndarray, targets: np.ndarray, feature_map: FeatureMap, channels: int | None
) -> np.ndarray:
    """Return the weighted sum of the channels of one feature map, (n, height, width)."""
    features = scored.features(images, feature_map)
    tensors = np.asarray(keras.ops.convert_to_numpy(scored.forward(images, [feature_map]).features[feature_map.slot]))
    copies = COPIES * scored.batch_size
    bypassed = bool(scored.bypass([feature_map]))

    def score_ablated(value: Any, *pixels: Any) -> Any:
        return scored.score_tensor(pixels[0] if pixels else None, given={feature_map.slot: value})

    compute = scored.traced(f"ablated channels {feature_map.slot}", score_ablated)
    values = np.zeros(features.shape[:3], dtype=np.float32)
    for number, feature in enumerate(features):
        strength = np.abs(feature).mean(axis=(0, 1))
        order = np.argsort(-strength, kind="stable")[:channels]
        # A channel that is zero everywhere has no effect.
        chosen = order[strength[order] > 0.0]
        for start in range(0, len(chosen), copies):
            part = chosen[start : start + copies]
            # The last copy keeps all channels.
            ablated = np.repeat(tensors[number : number + 1], len(part) + 1, axis=0)
            for row, channel in enumerate(part):
                ablated[row, ..., channel] = 0.0
            pixels = [np.repeat(images[number : number + 1], len(ablated), axis=0)] if bypassed else []
            scores = np.asarray(keras.ops.convert_to_numpy(compute(ablated, *pixels)))[:, targets[number]]
            values[number] += feature[..., part] @ (scores[-1] - scores[:-1])
    return values
