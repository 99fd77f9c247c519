"""Class activation maps of an ensemble: the mean of those of its members.

The feature maps of the members differ in size and in meaning, and the output depends on all of them. Their heat-maps
can be averaged because they refer to the same image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from breastcls.explanation.feature_map import FeatureMap
from breastcls.explanation.heatmap import Heatmaps, make_heatmaps
from breastcls.explanation.methods.method import Method
from breastcls.explanation.scored_model import ScoredModel
from breastcls.models.ensemble import Member, list_members


@dataclass(frozen=True, eq=False)
class ScoredMember:
    """One member of an ensemble, prepared for the methods.

    Attributes:
        scored: The `ScoredModel` of the member, or its `TargetedModel`.
        member: Its weight, and how its images are resized.
        maps: Its feature maps.
        layer: Paths of their layers, preceded by the name of the member.
    """

    scored: Any
    member: Member
    maps: tuple[FeatureMap, ...]
    layer: str


def open_members(scored: Any, example: np.ndarray, layer: str | None) -> tuple[ScoredMember, ...]:
    """Return the members of an ensemble with a positive weight; nothing for any other model.

    Args:
        scored: The `ScoredModel` of any model.
        example: One or more images (n, h, w, 3) of the input size of the ensemble.
        layer: Name of the layer of the feature map in each member; None selects it for each member.

    Raises:
        ExplanationError: If a member cannot be explained, or has no such feature map.
    """
    opened = []
    # The members are new models each time, so that what is prepared of them is kept with the ensemble.
    for member in scored.keep("members", lambda: list_members(scored.model)):
        if member.weight > 0:
            own = ScoredModel(member.model, _images_of(member, example), scored.batch_size)
            maps = own.feature_maps(layer)
            paths = [f"{member.model.name}/{item.path}" for item in maps]
            opened.append(ScoredMember(own, member, maps, ", ".join(paths)))
    return tuple(opened)


def explain_members(
    members: Sequence[ScoredMember],
    method: Method,
    images: np.ndarray,
    targets: np.ndarray,
    options: Mapping[str, Any],
) -> Heatmaps:
    """Explain each member and return the mean of the heat-maps, weighted as in the ensemble.

    The heat-map of each member is scaled to 0..1 first, because the scores of the members have different scales; the
    mean is scaled again. An image is flagged if it is flagged for every member.

    Args:
        members: What `open_members` returned.
        method: The method.
        images: float32 (n, h, w, 3) of the input size of the ensemble.
        targets: int64 (n,), class indices.
        options: The options of the method.

    Raises:
        ExplanationError: If the method raises it.
    """
    size = (int(images.shape[1]), int(images.shape[2]))
    weights = np.array([member.member.weight for member in members], np.float32)
    weights /= weights.sum()
    made = []
    for one in members:
        attribution = method.compute(one.scored, _images_of(one.member, images), targets, **options)
        made.append(make_heatmaps(attribution, size, method.upper_percentile, method.smoothing))
    values = np.tensordot(weights, np.stack([maps.values for maps in made]), axes=1)
    highest = values.max(axis=(1, 2), keepdims=True)
    values = np.divide(values, highest, out=np.zeros_like(values), where=highest > 0)
    share = np.tensordot(weights, np.stack([maps.positive_share for maps in made]), axes=1)
    flags = tuple(of_image[0] if all(of_image) else "" for of_image in zip(*(maps.flags for maps in made), strict=True))
    return Heatmaps(values, share, flags)


def _images_of(member: Member, images: np.ndarray) -> np.ndarray:
    if member.resize is None:
        return images
    return np.asarray(keras.ops.convert_to_numpy(member.resize(images.astype(np.float32))))
