"""Gradients of each image's target score, with respect to feature maps or to the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.feature_map import FeatureMap
from breastcls.explanation.scored_model import ScoredModel, to_float32


def feature_gradients(
    scored: ScoredModel, images: np.ndarray, targets: np.ndarray, feature_map: FeatureMap
) -> tuple[np.ndarray, np.ndarray]:
    """Return a feature map and the gradient of each image's target score with respect to it.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        feature_map: Which tensor.

    Returns:
        Features and gradients, both float32 (n, height, width, channels).

    Raises:
        ExplanationError: If the score does not depend on the feature map in a differentiable way.

    Example:
        >>> layers = [keras.layers.Conv2D(2, 3), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
        >>> image = np.zeros((1, 8, 8, 3), np.float32)
        >>> scored = ScoredModel(keras.Sequential([keras.Input((8, 8, 3)), *layers]), image)
        >>> features, gradients = feature_gradients(scored, image, np.array([1]), scored.feature_map())
        >>> features.shape, gradients.shape
        ((1, 6, 6, 2), (1, 6, 6, 2))
    """
    [pair] = branch_gradients(scored, images, targets, [feature_map])
    return pair


def branch_gradients(
    scored: ScoredModel, images: np.ndarray, targets: np.ndarray, maps: Sequence[FeatureMap]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return several feature maps and the gradient of each image's target score with respect to each of them.

    The network is run forward once; only the part between the maps and the score is differentiated. The gradient of one
    map is taken with the others held constant, so that of two maps in a row each has the part of the score that does
    not pass through the other.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        maps: The tensors.

    Returns:
        For each map features and gradients, both float32 (n, height, width, channels).

    Raises:
        ExplanationError: If the score does not depend on one of the maps in a differentiable way.
    """
    slots = tuple(item.slot for item in maps)
    passed = scored.forward(images, maps)
    features = [passed.features[slot] for slot in slots]
    # Where the maps carry the whole score, it is computed from them without the images.
    around = [images] if scored.bypass(maps) else []

    def differentiate(classes: Any, *tensors: Any) -> tuple[Any, ...]:
        values, pixels = tensors[: len(slots)], tensors[len(slots) :]

        def target_scores(*of_maps: Any) -> Any:
            given = dict(zip(slots, of_maps, strict=True))
            return _pick_targets(scored.score_tensor(pixels[0] if pixels else None, given=given), classes)

        return scored.differentiate(target_scores, values)

    gradients = scored.traced(f"gradients of {slots}", differentiate)(targets, *features, *around)
    for item, gradient in zip(maps, gradients, strict=True):
        if gradient is None:
            raise ExplanationError(
                f"The explained score has no gradient with respect to {item.path!r}: a layer behind it or the function "
                "given as target, rounds or selects (such as argmax). Choose another layer or function, or the "
                "gradient-free method 'occlusion'."
            )
    return [
        (item.to_map(to_float32(value)), item.to_map(to_float32(gradient)))
        for item, value, gradient in zip(maps, features, gradients, strict=True)
    ]


def image_gradients(scored: ScoredModel, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the gradient of each image's target score with respect to its pixels, float32 (n, h, w, 3).

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.

    Raises:
        ExplanationError: If the score does not depend on the pixels in a differentiable way.

    Example:
        >>> layers = [keras.layers.Flatten(), keras.layers.Dense(2, kernel_initializer="ones")]
        >>> image = np.zeros((1, 2, 2, 3), np.float32)
        >>> scored = ScoredModel(keras.Sequential([keras.Input((2, 2, 3)), *layers]), image)
        >>> float(image_gradients(scored, image, np.array([1])).sum())
        12.0
    """

    def differentiate(pixels: Any, classes: Any) -> Any:
        def target_scores(values: Any) -> Any:
            return _pick_targets(scored.score_tensor(values), classes)

        return scored.differentiate(target_scores, [pixels])

    [gradient] = scored.traced("gradients of the pixels", differentiate)(images.astype(np.float32, copy=False), targets)
    if gradient is None:
        raise ExplanationError(
            "The explained score has no gradient with respect to the pixels: the model or the function given as target "
            "rounds, looks up or selects (such as argmax). Use the gradient-free method 'occlusion'."
        )
    return to_float32(gradient)


def _pick_targets(scores: Any, targets: Any) -> Any:
    """Return the score of each image's target class, (n,)."""
    return keras.ops.take_along_axis(scores, keras.ops.expand_dims(targets, -1), axis=-1)[:, 0]
