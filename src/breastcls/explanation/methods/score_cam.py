"""Score-CAM: channels weighted by the probability of the image masked with them, without gradients."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from breastcls.argument_checks import check_count
from breastcls.errors import ExplanationError
from breastcls.explanation.branch_sum import sum_branches
from breastcls.explanation.methods.baseline_image import blend, make_baseline
from breastcls.explanation.methods.batches_ahead import prepare_ahead
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

    Each channel is scaled to 0..1, enlarged to the size of the image and used as a mask. One forward pass per channel
    and image makes this the slowest class activation map.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        layer: The layer whose feature map is used; None selects it, see `ScoredModel.feature_maps`.
            The maps of several branches are summed.
        channels: The number of channels used per image, those with the largest standard deviation ("Faster
            Score-CAM"). None uses all channels, as in the paper: 2048 forward passes per image for a ResNet50.
        baseline: The image where the mask is 0, see `make_baseline`; black in the paper.

    Raises:
        ExplanationError: If `channels` is less than one.

    References:
        Wang et al. 2020, DOI 10.1109/CVPRW50498.2020.00020.
    """
    check_count("channels", channels, optional=True, error=ExplanationError)
    empty = make_baseline(images, baseline)
    branches = []
    for feature_map in scored.feature_maps(layer):
        # The masks are of the whole image.
        features = feature_map.placement.place(scored.features(images, feature_map))
        branches.append(_weigh_channels(scored, images, targets, features, empty, channels))
    return Attribution(sum_branches(branches))


SCORE_CAM = Method(
    name="score-cam",
    compute=score_cam,
    title="Score-CAM",
    reference="Wang et al. 2020, DOI 10.1109/CVPRW50498.2020.00020",
    needs_feature_map=True,
    perturbs=True,
    passes="65 forward (`channels`)",
)


def _weigh_channels(
    scored: ScoredModel,
    images: np.ndarray,
    targets: np.ndarray,
    features: np.ndarray,
    empty: np.ndarray,
    channels: int | None,
) -> np.ndarray:
    """Return the weighted sum of the channels of one feature map, (n, height, width)."""
    values = np.zeros(features.shape[:3], dtype=np.float32)
    batches = _masked_batches(images, features, empty, channels, scored.batch_size)
    for number, part, masked in prepare_ahead(batches):
        values[number] += features[number][..., part] @ scored.probabilities(masked)[:, targets[number]]
    return values


def _masked_batches(
    images: np.ndarray, features: np.ndarray, empty: np.ndarray, channels: int | None, batch_size: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield the number of an image, channels (k,), and the image masked with each, float32 (k, h, w, 3)."""
    for number, feature in enumerate(features):
        spread = feature.std(axis=(0, 1))
        order = np.argsort(-spread, kind="stable")[:channels]
        # A constant channel masks nothing.
        chosen = order[spread[order] > 0.0]
        for start in range(0, len(chosen), batch_size):
            part = chosen[start : start + batch_size]
            masks = _masks(feature[..., part], images.shape[1:3])
            yield number, part, blend(masks, images[number], empty[number])


def _masks(feature: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return channels (h, w, k) scaled to 0..1 at the size of the image, (k, height, width)."""
    height, width = size
    large = np.stack(
        [
            cv2.resize(np.ascontiguousarray(feature[..., k]), (width, height), interpolation=cv2.INTER_LINEAR)
            for k in range(feature.shape[-1])
        ]
    )
    low = large.min(axis=(1, 2), keepdims=True)
    high = large.max(axis=(1, 2), keepdims=True)
    large -= low
    large /= high - low + 1e-7
    return large
