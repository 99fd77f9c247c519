"""Gradients of a class score, and running often as a graph. The only module of this floor that names TensorFlow.

Another Keras backend needs only this file written anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from breastcls.errors import ExplanationError

if TYPE_CHECKING:
    from breastcls.explanation.feature_map import FeatureMap
    from breastcls.explanation.scored_model import ScoredModel

# Tracing costs about as much as a few direct calls, and a traced call a fifth of a direct one.
CALLS_BEFORE_TRACING = 4


class Repeated:
    """A function of tensors that becomes a graph once it has been called a few times.

    Args:
        function: Takes and returns tensors.
        traceable: Whether it may become a graph at all.
    """

    def __init__(self, function: Callable[..., Any], *, traceable: bool = True) -> None:
        self._direct = function
        self._traced = tf.function(function, reduce_retracing=True) if traceable else function
        self._calls = 0

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        self._calls += 1
        return (self._direct if self._calls <= CALLS_BEFORE_TRACING else self._traced)(*arguments)


def feature_gradients(
    scored: ScoredModel, images: np.ndarray, targets: np.ndarray, feature_map: FeatureMap
) -> tuple[np.ndarray, np.ndarray]:
    """Return a feature map and the gradient of each image's target score with respect to it.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), 0..255.
        targets: int64 (n,), class indices.
        feature_map: Which tensor.

    Returns:
        Features and gradients, both float32 (n, height, width, channels).

    Raises:
        ExplanationError: If the score does not depend on the feature map in a differentiable way.
    """

    def differentiate(pixels: Any, classes: Any) -> tuple[Any, Any]:
        watched: list[Any] = []
        # Only what comes after the feature map is recorded: the backbone is run forward and not differentiated.
        with tf.GradientTape(watch_accessed_variables=False) as tape:

            def watch(slot: int, value: Any) -> Any:
                if slot == feature_map.slot:
                    tape.watch(value)
                    watched.append(value)
                return value

            score = _target_score(scored.score_tensor(pixels, observe=watch), classes)
        return watched[0], tape.gradient(score, watched[0])

    features, gradient = scored.repeated(f"feature gradients {feature_map.slot}", differentiate)(images, targets)
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
        images: float32 (n, h, w, 3), 0..255.
        targets: int64 (n,), class indices.

    Raises:
        ExplanationError: If the score does not depend on the pixels in a differentiable way.
    """

    def differentiate(pixels: Any, classes: Any) -> Any:
        pixels = tf.convert_to_tensor(pixels)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pixels)
            score = _target_score(scored.score_tensor(pixels), classes)
        return tape.gradient(score, pixels)

    gradient = scored.repeated("image gradients", differentiate)(images.astype(np.float32), targets)
    if gradient is None:
        raise ExplanationError(
            "The class score has no gradient with respect to the pixels: the model rounds or looks up "
            "(an integer input, for example). Use the gradient-free method 'occlusion'."
        )
    return _to_float32(gradient)


def _target_score(scores: Any, targets: Any) -> Any:
    """Add up the target scores of a batch: in inference no image touches another."""
    return tf.reduce_sum(tf.gather(scores, targets, batch_dims=1))


def _to_float32(tensor: Any) -> np.ndarray:
    return np.asarray(tf.cast(tf.convert_to_tensor(tensor), tf.float32).numpy())
