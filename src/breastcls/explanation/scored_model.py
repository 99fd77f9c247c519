"""A model prepared for the explanation methods: class scores, and every tensor from which they are computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.class_score import ClassScore, find_class_score
from breastcls.explanation.engine_scores import open_score_session
from breastcls.explanation.feature_map import FeatureMap, find_feature_map, measure_shapes
from breastcls.explanation.gradients.tensorflow_gradients import TracedFunction
from breastcls.explanation.layer_graph import Observer, unroll
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.engines.engine_record import record_engine
from breastcls.models.inference import run_passes
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import find_backbone


class ScoredModel:
    """A Keras model whose class scores and intermediate tensors can be computed and observed.

    The model is never changed: no layer is added, called symbolically, or given other weights.

    Args:
        model: A Keras model with one image input and one output (n, classes).
        example: One or more images of the model's input size, uint8 or float32 (n, h, w, 3), values 0..255. The first
            is used to check that calling layer after layer gives the output of the model.
        batch_size: Number of images in one forward pass.
        engine: What computes class scores that need no gradients; see `predict`. All else is computed by Keras.

    Raises:
        ExplanationError: If the model cannot be explained, or calling layer after layer does not give its output.
    """

    def __init__(self, model: Any, example: np.ndarray, batch_size: int = 8, engine: str | None = None) -> None:
        if batch_size < 1:
            raise ExplanationError(f"batch_size is {batch_size}; expected 1 or more.")
        self.model = model
        self.batch_size = batch_size
        self.graph = unroll(model)
        self._traced: dict[str, TracedFunction] = {}
        one = np.asarray(example[:1], dtype=np.float32)
        try:
            expected = np.asarray(keras.ops.convert_to_numpy(model(one, training=False)), dtype=np.float32)
        except (ValueError, TypeError) as error:
            raise ExplanationError(
                f"The model {model.name!r} cannot be called on images of the shape {one.shape[1:]}; "
                f"its input is {getattr(model, 'input_shape', 'unknown')}. {error}"
            ) from error
        if expected.ndim != 2:
            raise ExplanationError(
                f"The model {model.name!r} has an output of the shape {expected.shape}; expected (n, classes)."
            )
        self._score: ClassScore = find_class_score(self.graph, expected.shape[1])
        self.shapes = measure_shapes(self.graph, one)
        followed = np.asarray(keras.ops.convert_to_numpy(self.graph.run(one)), dtype=np.float32)
        if not np.all(np.isfinite(expected)):
            raise ExplanationError(f"The model {model.name!r} has NaN or infinite outputs; expected finite numbers.")
        if not np.allclose(followed, expected, rtol=1e-3, atol=1e-4):
            raise ExplanationError(
                f"Calling the layers of the model {model.name!r} one by one does not give its output (largest "
                f"difference {np.abs(followed - expected).max():.2g}): the model computes outside of its layers, or is "
                "random in inference. Rebuild it as a functional model."
            )
        self._forward = open_score_session(model, engine)
        self.class_count = int(self.probabilities(one).shape[1])

    @property
    def engine(self) -> dict[str, str]:
        """The record of what computes class scores that need no gradients."""
        return record_engine(self.model if self._forward is None else self._forward)

    @property
    def score_kind(self) -> str:
        """`"logit"` or `"log-probability"`."""
        return self._score.kind

    def feature_map(self, layer: str | None = None) -> FeatureMap:
        """Return the feature map for class activation maps.

        Args:
            layer: Name or path of its layer. None selects the layer `last_convolution` of the registered backbone for a
                model of `build_model`, and the last feature map for any other model.

        Raises:
            ExplanationError: If there is no such layer or no feature map.
        """
        return find_feature_map(self.graph, self.shapes, layer or _registered_layer(self.model))

    def score_tensor(self, images: Any, observe: Observer | None = None) -> Any:
        """Return the class scores of one batch as a backend tensor, float32 (n, classes)."""
        return self._score.scores(self.graph.run(images, wanted=self._score.slot, observe=observe))

    def traced(self, name: str, function: Callable[..., Any]) -> TracedFunction:
        """Return the function that is kept under a name, so that it is traced at most once; the first one is kept."""
        if name not in self._traced:
            traceable = not getattr(self.model, "run_eagerly", False)
            self._traced[name] = TracedFunction(function, traceable=traceable)
        return self._traced[name]

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Return the class scores, float32 (n, classes), in batches of `batch_size`."""
        if self._forward is not None:
            starts = range(0, len(images), self.batch_size)
            return np.concatenate(
                list(self._forward.run_batches(images[start : start + self.batch_size] for start in starts))
            )
        compute = self.traced("scores", self.score_tensor)
        parts = [
            keras.ops.convert_to_numpy(compute(images[start : start + self.batch_size]))
            for start in range(0, len(images), self.batch_size)
        ]
        return np.concatenate(parts).astype(np.float32)

    def outputs(self, images: np.ndarray) -> np.ndarray:
        """Return the model's own output as `predict` computes it, (n, classes) or (n, 1), before any calibration.

        An output without an activation is logits: the softmax or sigmoid that is missing is applied.
        """
        starts = range(0, len(images), self.batch_size)
        # A subclassed model may compute with the images before any layer converts them, which uint8 does not allow.
        batches = (images[start : start + self.batch_size].astype(np.float32) for start in starts)
        [outputs] = run_passes(self.model, batches)
        if not self._score.output_is_logits:
            return outputs
        return self.probabilities_of(np.asarray(keras.ops.convert_to_numpy(self._score.scores(outputs))))

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 (n, classes), in batches of `batch_size`."""
        return self.probabilities_of(self.scores(images))

    def probabilities_of(self, scores: np.ndarray) -> np.ndarray:
        """Return the probabilities that belong to class scores, both float32 (n, classes)."""
        return np.asarray(keras.ops.convert_to_numpy(self._score.probabilities(scores)), dtype=np.float32)

    def features(self, images: np.ndarray, feature_map: FeatureMap) -> np.ndarray:
        """Return the values of a feature map for one batch, float32 (n, height, width, channels)."""
        value = self.graph.run(images, wanted=feature_map.slot)
        return np.asarray(keras.ops.convert_to_numpy(value), dtype=np.float32)


def _registered_layer(model: Any) -> str | None:
    """Return the path of the layer that the registered backbone names for class activation maps, or None."""
    card = get_card(model)
    if card is None or card.backbone is None or card.backbone not in BACKBONES:
        return None
    layer = BACKBONES[card.backbone].last_convolution
    return None if layer is None else f"{find_backbone(model).name}/{layer}"
