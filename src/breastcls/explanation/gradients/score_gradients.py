"""Gradients of each image's target score, with respect to a feature map or to the pixels."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.feature_map import FeatureMap
from breastcls.explanation.gradients.tensorflow_gradients import pixel_gradient, tensor_gradient
from breastcls.explanation.scored_model import ScoredModel


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
    """

    def differentiate(pixels: Any, classes: Any) -> tuple[Any, Any]:
        return tensor_gradient(scored.score_tensor, pixels, classes, feature_map.slot)

    features, gradient = scored.traced(f"feature gradients {feature_map.slot}", differentiate)(images, targets)
    if gradient is None:
        raise ExplanationError(
            f"The class score has no gradient with respect to {feature_map.path!r}. "
            "Choose another layer, or the gradient-free method 'occlusion'."
        )
    return _to_float32(features), _to_float32(gradient)


def image_gradients(scored: ScoredModel, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the gradient of each image's target score with respect to its pixels, float32 (n, h, w, 3).

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.

    Raises:
        ExplanationError: If the score does not depend on the pixels in a differentiable way.
    """

    def differentiate(pixels: Any, classes: Any) -> Any:
        return pixel_gradient(scored.score_tensor, pixels, classes)

    gradient = scored.traced("image gradients", differentiate)(images.astype(np.float32), targets)
    if gradient is None:
        raise ExplanationError(
            "The class score has no gradient with respect to the pixels: the model rounds or looks up "
            "(an integer input, for example). Use the gradient-free method 'occlusion'."
        )
    return _to_float32(gradient)


def _to_float32(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")))
