"""A model prepared for the explanation methods: class scores, and every tensor from which they are computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from breastcls.argument_checks import check_count
from breastcls.errors import ExplanationError
from breastcls.explanation.class_score import require_probabilities
from breastcls.explanation.engine_scores import open_score_session
from breastcls.explanation.feature_map import FeatureMap, find_bypass
from breastcls.explanation.layer_graph import Observer
from breastcls.explanation.preparation_cache import prepare_model
from breastcls.explanation.prepared_model import ForwardPass
from breastcls.models.engines.engine_record import record_engine


class ScoredModel:
    """A Keras model whose class scores and intermediate tensors can be computed and observed.

    The model is not changed: no layer is added, and the weights stay the same. What is prepared at the first call for a
    model and an image size is kept with the model: later calls neither unroll nor trace it again.

    Args:
        model: A Keras model with one image input and one output (n, classes).
        example: A batch of images of the model's input size, uint8 or float32 (n, h, w, 3), values 0..255, with which
            the model is prepared.
        batch_size: Number of images in one forward pass.
        engine: What computes class scores that need no gradients; see `predict`. All else is computed by Keras.
        layer: The layer whose feature maps are needed first; see `feature_maps`.

    Raises:
        ExplanationError: If the model cannot be explained, or calling layer after layer does not give its output.
    """

    def __init__(
        self,
        model: Any,
        example: np.ndarray,
        batch_size: int = 8,
        engine: str | None = None,
        layer: str | None = None,
    ) -> None:
        check_count("batch_size", batch_size, error=ExplanationError)
        self.model = model
        self.batch_size = batch_size
        images = example if example.dtype == np.float32 else example[:batch_size].astype(np.float32)
        self._prepared = prepare_model(model, images, layer)
        self._last: ForwardPass | None = self._prepared.take_first()
        self.graph = self._prepared.graph
        self.shapes = self._prepared.shapes
        self.class_count = self._prepared.class_count
        self._score = self._prepared.score
        self._forward = open_score_session(model, engine, self.keep)

    @property
    def engine(self) -> dict[str, str]:
        """The record of what computes class scores that need no gradients."""
        return record_engine(self.model if self._forward is None else self._forward)

    @property
    def score_kind(self) -> str:
        """`"logit"` or `"log-probability"`."""
        return self._score.kind

    def feature_maps(self, layer: str | None = None) -> tuple[FeatureMap, ...]:
        """Return the feature maps for class activation maps, one for each branch of the model.

        Args:
            layer: Name or path of a layer. None selects the layer `last_convolution` of the registered backbone for a
                model of `build_model`, and the maps nearest to the score for any other model.

        Raises:
            ExplanationError: If there is no such layer or no feature map.
        """
        found: tuple[FeatureMap, ...] = self.keep(
            f"feature maps {layer}", lambda: self._prepared.find_maps(self.model, layer)
        )
        return found

    def feature_map(self, layer: str | None = None) -> FeatureMap:
        """Return the one feature map for class activation maps.

        Args:
            layer: As for `feature_maps`.

        Raises:
            ExplanationError: If there is no such layer, no feature map, or one for each of several branches.
        """
        maps = self.feature_maps(layer)
        if len(maps) > 1:
            raise ExplanationError(
                f"The model has a feature map on each of {len(maps)} branches: {', '.join(item.path for item in maps)}."
                " Pass one of them as `layer`, or use a method that sums over the branches, such as 'grad-cam'."
            )
        return maps[0]

    def bypass(self, maps: Sequence[FeatureMap]) -> tuple[str, ...]:
        """Return the layers through which the score depends on the image around the maps."""
        return find_bypass(self.graph, self.shapes, self._score.slot, maps)

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what is kept with the model under a name, made by a function at the first call.

        Args:
            name: The name of what is kept.
            make: A function without arguments that returns it.
        """
        known = self._prepared.kept
        if name not in known:
            known[name] = make()
        return known[name]

    def score_tensor(self, images: Any, observe: Observer | None = None, given: Any = None) -> Any:
        """Return the class scores of one batch as a backend tensor, float32 (n, classes).

        Args:
            images: float32 (n, h, w, 3), values 0..255; see `LayerGraph.run` for all arguments.
            observe: Called with the number and the value of each tensor.
            given: The values of some tensors by their number, which are not computed.
        """
        return self._prepared.score_tensor(images, observe, given)

    def traced(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the compiled function that is kept under a name.

        It is kept with the model, also for later calls of `explain`: whatever the function depends on, other than its
        arguments and the model, must be part of the name.

        Args:
            name: The name.
            function: Takes arrays or tensors (n, ...) with any n, and returns tensors.
        """
        return self._prepared.compiled(name, function)

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a compiled function that is not kept with the model; see `traced`."""
        return self._prepared.compile(function)

    def differentiate(self, function: Callable[..., Any], inputs: Sequence[Any]) -> tuple[Any, ...]:
        """Return the gradient of the sum of the values (n,) of a function for each input.

        Args:
            function: A function from tensors to values (n,).
            inputs: The tensors.
        """
        return self._prepared.differentiate(function, inputs)

    def forward(self, images: np.ndarray, maps: Sequence[FeatureMap] = ()) -> ForwardPass:
        """Return output, class scores and feature maps of one batch by one forward pass.

        The pass of the last batch is kept: another call with the same array computes nothing.

        Args:
            images: float32 (n, h, w, 3), values 0..255.
            maps: The feature maps to return.

        Raises:
            ExplanationError: If there is not one feature map for each image.
        """
        slots = tuple(item.slot for item in maps)
        last = self._last
        if last is None or last.images is not images or any(slot not in last.features for slot in slots):
            last = self._last = self._prepared.forward(images, slots)
        for item in maps:
            count = int(last.features[item.slot].shape[0])
            if count != len(images):
                raise ExplanationError(
                    f"The layer {item.path!r} has {count} feature maps for {len(images)} images: the model divides "
                    "images into tiles, and the position of a tile is not known. Use 'integrated-gradients' or "
                    "'occlusion'."
                )
        return last

    def forget_pass(self) -> None:
        """Release the images and feature maps of the last batch."""
        self._last = None

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Return the class scores, float32 (n, classes), in batches of `batch_size`."""
        starts = range(0, len(images), self.batch_size)
        batches = (images[start : start + self.batch_size] for start in starts)
        if self._forward is not None:
            return np.concatenate(list(self._forward.run_batches(batches)))
        compute = self.traced("scores", self.score_tensor)
        return np.concatenate([to_float32(compute(batch)) for batch in batches])

    def outputs(self, images: np.ndarray, maps: Sequence[FeatureMap] = ()) -> np.ndarray:
        """Return the model's own output for one batch, (n, classes) or (n, 1), before any calibration.

        An output without an activation is logits: the softmax or sigmoid that is missing is applied.

        Args:
            images: float32 (n, h, w, 3), values 0..255.
            maps: Feature maps that a method needs next, so that one forward pass gives both.

        Raises:
            ExplanationError: If the outputs are neither logits nor probabilities.
        """
        if self._forward is not None and not maps:
            return self.probabilities(images)
        done = self.forward(images, maps)
        if self._score.output_is_logits:
            return self.probabilities_of(to_float32(done.scores))
        output = np.asarray(keras.ops.convert_to_numpy(done.output))
        if self._score.activation == "none":
            require_probabilities(output, self.model.name)
        return output

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 (n, classes), in batches of `batch_size`."""
        return self.probabilities_of(self.scores(images))

    def probabilities_of(self, scores: np.ndarray) -> np.ndarray:
        """Return the probabilities that belong to class scores, both float32 (n, classes)."""
        return np.asarray(keras.ops.convert_to_numpy(self._score.probabilities(scores)), dtype=np.float32)

    def features(self, images: np.ndarray, feature_map: FeatureMap) -> np.ndarray:
        """Return the values of a feature map for one batch, float32 (n, height, width, channels).

        Args:
            images: float32 (n, height, width, 3), RGB, values 0..255.
            feature_map: A feature map of the model, from `feature_maps`.
        """
        return feature_map.to_map(to_float32(self.forward(images, [feature_map]).features[feature_map.slot]))


def to_float32(tensor: Any) -> np.ndarray:
    """Return a tensor of the backend as an array, float32."""
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")))
