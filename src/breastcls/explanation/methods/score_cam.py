"""Score-CAM: channels weighted by what the model says of the image seen through them. No gradients."""

from __future__ import annotations

import cv2
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.methods.baseline_image import make_baseline
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel


def score_cam(
    scored: ScoredModel,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    layer: str | None = None,
    channels: int | None = 64,
    baseline: str = "black",
) -> Attribution:
    """Weight each channel of a feature map by the target probability of the image masked with that channel.

    Each channel is brought to 0..1, enlarged to the image and used as a mask; one pass of the model a channel
    and image makes this the slowest of the class activation maps.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), 0..255.
        targets: int64 (n,), class indices.
        layer: The layer whose feature map to use; the last one by default.
        channels: Use only so many channels of each image, those that vary most over it ("Faster Score-CAM").
            None uses all, as the paper does: 2048 passes an image for a ResNet50.
        baseline: What stands where the mask is 0; the paper has black. See `make_baseline`.

    Raises:
        ExplanationError: If `channels` is less than one.

    References:
        Wang et al. 2020, DOI 10.1109/CVPRW50498.2020.00020.
    """
    if channels is not None and channels < 1:
        raise ExplanationError(f"channels is {channels}; expected 1 or more, or None for all.")
    features = scored.features(images, scored.feature_map(layer))
    empty = make_baseline(images, baseline)
    values = np.zeros(features.shape[:3], dtype=np.float32)
    for number, feature in enumerate(features):
        spread = feature.std(axis=(0, 1))
        order = np.argsort(-spread, kind="stable")[:channels]
        # A channel that is the same everywhere masks nothing and tells nothing.
        chosen = order[spread[order] > 0.0]
        for start in range(0, len(chosen), scored.batch_size):
            part = chosen[start : start + scored.batch_size]
            masks = _masks(feature[..., part], images.shape[1:3])
            seen = masks * images[number] + (1.0 - masks) * empty[number]
            weights = scored.probabilities(seen.astype(np.float32))[:, targets[number]]
            values[number] += feature[..., part] @ weights
    return Attribution(values)


SCORE_CAM = Method(
    name="score-cam",
    compute=score_cam,
    title="Score-CAM",
    reference="Wang et al. 2020, DOI 10.1109/CVPRW50498.2020.00020",
    needs_feature_map=True,
)


def _masks(feature: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bring channels (h, w, k) to 0..1 and to the image's size, as (k, height, width, 1)."""
    height, width = size
    large = np.stack(
        [
            cv2.resize(np.ascontiguousarray(feature[..., k]), (width, height), interpolation=cv2.INTER_LINEAR)
            for k in range(feature.shape[-1])
        ]
    )
    low = large.min(axis=(1, 2), keepdims=True)
    high = large.max(axis=(1, 2), keepdims=True)
    return np.asarray(((large - low) / (high - low + 1e-7))[..., np.newaxis])
