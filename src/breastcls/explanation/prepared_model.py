"""A model unrolled and traced once for images of one size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.class_score import ClassScore, are_probabilities, find_class_score
from breastcls.explanation.feature_map import (
    FeatureMap,
    find_bypass,
    find_feature_maps,
    find_named_maps,
    list_token_maps,
    measure_shapes,
)
from breastcls.explanation.gradients.gradient_backend import find_gradient_backend
from breastcls.explanation.gradients.half_precision import differentiate_scaled
from breastcls.explanation.layer_graph import LayerGraph, Observer
from breastcls.explanation.model_state import describe_state
from breastcls.explanation.token_maps import choose_tokens, measure_patch_starts
from breastcls.explanation.unrolling import unroll
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.keras_internals import flatten_layers
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import find_backbone


@dataclass(frozen=True, eq=False)
class ForwardPass:
    """What one forward pass gives for one batch.

    Attributes:
        images: The batch.
        output: The model's own output (n, classes) or (n, 1).
        scores: Class scores, float32 (n, classes).
        features: The feature maps as tensors of the backend, by their slot.
    """

    images: np.ndarray
    output: Any
    scores: Any
    features: dict[int, Any]


class PreparedModel:
    """The layer calls of a model, the class scores, the shapes of its tensors and its compiled functions.

    Args:
        model: The model.
        images: A batch, float32 (n, h, w, 3), which is passed forward once.
        layer: The layer whose feature maps this pass returns; None for the maps that a method uses by default.

    Attributes:
        graph: The layer calls.
        score: How class scores are computed.
        class_count: The number of classes.
        shapes: The shape of each tensor, by its slot; only the first number, that of images, may be None.
        kept: What else is kept with the model, by name.
        state: The description of the model when it was prepared.
    """

    def __init__(self, model: Any, images: np.ndarray, layer: str | None) -> None:
        self.graph: LayerGraph = unroll(model, images.shape[1:])
        self.kept: dict[str, Any] = {}
        self._image_shape = tuple(images.shape[1:])
        self._backend = find_gradient_backend()
        # With the layers of the graph they keep alive what the description of the state refers to.
        self._variables = list(model.weights)
        self._is_half = "float16" in _precisions(model)
        self._traceable = not getattr(model, "run_eagerly", False)
        closed = unroll(model)
        opened = [step.operation for step in closed.steps] != [step.operation for step in self.graph.steps]
        try:
            self._prepare(model, images, layer, opened=opened)
        except ExplanationError:
            if not opened:
                raise
            # Some layer does more than the calls that were recorded inside of it.
            self.graph = closed
            self._prepare(model, images, layer, opened=False)
        self.state = describe_state(model)

    def _prepare(self, model: Any, images: np.ndarray, layer: str | None, *, opened: bool) -> None:
        self.shapes: dict[int, tuple[int | None, ...]] = {}
        self.score = ClassScore(self.graph.output, None, "none")
        self._is_logits = False
        self._compiled: dict[str, Callable[..., Any]] = {}
        self._forward: dict[tuple[int, ...], Callable[..., Any]] = {}
        try:
            checked = opened or _needs_check(self.graph)
            expected = _to_float32(_call_once(model, images[:1])) if checked else None
            self._first: ForwardPass | None = self._open(model, images, layer)
        except (ValueError, TypeError) as error:
            if isinstance(error, ExplanationError):
                raise
            raise ExplanationError(
                f"The model {model.name!r} cannot be called on images of the shape {images.shape[1:]}; "
                f"its input is {getattr(model, 'input_shape', 'unknown')}. {error}"
            ) from error
        output = _to_float32(self._first.output)
        if not np.all(np.isfinite(output)):
            raise ExplanationError(f"The model {model.name!r} has NaN or infinite outputs; expected finite numbers.")
        relative, absolute = _tolerance(model)
        if expected is not None and not np.allclose(output[:1], expected, rtol=relative, atol=absolute):
            raise ExplanationError(
                f"Calling the layers of the model {model.name!r} one by one does not give its output (largest "
                f"difference {np.abs(output[:1] - expected).max():.2g}): the model computes outside of its layers, or "
                "is random in inference. Rebuild it as a functional model."
            )
        self.class_count = max(2, output.shape[1])
        self.graph = replace(self.graph, patch_starts=measure_patch_starts(self.graph, self.shapes, self._image_shape))
        if self.score.activation == "none" and not are_probabilities(output):
            # Logits behind a last layer that does not show it, such as one that scales them.
            self._is_logits = True
            self._first = self._open(model, images, layer)

    def _open(self, model: Any, images: np.ndarray, layer: str | None) -> ForwardPass:
        """Trace a forward pass, in which the shapes, the class scores and the feature maps are found, and run it."""
        slots: tuple[int, ...] = ()
        # Not the images themselves, which the function would keep in memory.
        empty = np.zeros((1, *images.shape[1:]), np.float32)

        def compute(pixels: Any) -> tuple[Any, ...]:
            nonlocal slots
            seen: dict[int, Any] = {}

            def record(slot: int, value: Any) -> Any:
                seen[slot] = value
                return value

            output = self.graph.run(pixels, observe=record)
            if len(output.shape) != 2:
                return (output, output)
            self.score = find_class_score(self.graph, int(output.shape[1]), is_logits=self._is_logits)
            self.shapes = {slot: tuple(getattr(value, "shape", ())) for slot, value in seen.items()}
            if any(None in shape[1:] for shape in self.shapes.values()):
                # A layer whose output size is known only when it is called on actual images.
                self.shapes = measure_shapes(self.graph, empty)
            try:
                maps = self._list_maps(model, layer)
                # Which tokens are used is found by gradients, after this function was traced.
                slots = tuple(item.slot for item in maps if item.prefix is None or layer is not None)
            except ExplanationError:
                # Raised again when a method asks for the maps.
                slots = ()
            return (output, self.score.scores(seen[self.score.slot]), *(seen[slot] for slot in slots))

        traced = self.compile(compute)
        output, scores, *features = traced(images)
        if len(output.shape) != 2:
            raise ExplanationError(
                f"The model {model.name!r} has an output of the shape {tuple(output.shape)}; expected (n, classes)."
            )
        self._forward[slots] = traced
        return ForwardPass(images, output, scores, dict(zip(slots, features, strict=True)))

    def take_first(self) -> ForwardPass | None:
        """Return the pass that was needed to prepare the model, once: it is not kept with the model."""
        first, self._first = self._first, None
        return first

    def find_maps(self, model: Any, layer: str | None) -> tuple[FeatureMap, ...]:
        """Return the feature maps of a layer, or those that methods use by default; see `ScoredModel.feature_maps`."""
        maps = self._list_maps(model, layer)
        if layer is not None or all(item.prefix is None for item in maps):
            return maps
        return tuple(item if item.prefix is None else self._choose_tokens(item) for item in maps)

    def _choose_tokens(self, last: FeatureMap) -> FeatureMap:
        candidates = [
            item
            for item in reversed(list_token_maps(self.graph, self.shapes, last))
            if item.slot <= last.slot and not find_bypass(self.graph, self.shapes, self.score.slot, [item])
        ]
        # Of branches none carries the whole score.
        if not candidates:
            return last
        noise = np.random.default_rng(0).uniform(0.0, 255.0, (1, *self._image_shape)).astype(np.float32)
        patches = [(item.slot, _find_patches(item)) for item in candidates]
        slot = choose_tokens(self.graph, self.score_tensor, self.differentiate, patches, noise)
        return next(item for item in candidates if item.slot == slot)

    def score_tensor(self, images: Any, observe: Observer | None = None, given: Any = None) -> Any:
        """Return the class scores of one batch as a backend tensor; see `ScoredModel.score_tensor`."""
        return self.score.scores(self.graph.run(images, wanted=self.score.slot, observe=observe, given=given))

    def _list_maps(self, model: Any, layer: str | None) -> tuple[FeatureMap, ...]:
        if layer is not None:
            return find_named_maps(self.graph, self.shapes, self.score.slot, layer)
        registered = _registered_layer(model)
        if registered is not None:
            maps = find_named_maps(self.graph, self.shapes, self.score.slot, registered)
            if not find_bypass(self.graph, self.shapes, self.score.slot, maps):
                return maps
        return find_feature_maps(self.graph, self.shapes, self.score.slot)

    def forward(self, images: np.ndarray, slots: Sequence[int]) -> ForwardPass:
        """Return output, class scores and the tensors of some slots for one batch by one forward pass."""
        wanted = tuple(slots)
        known = next((names for names in self._forward if set(wanted) <= set(names)), None)
        if known is None:
            graph, score, known = self.graph, self.score, wanted

            def compute(pixels: Any) -> tuple[Any, ...]:
                seen: dict[int, Any] = {}

                def record(slot: int, value: Any) -> Any:
                    if slot in wanted or slot == score.slot:
                        seen[slot] = value
                    return value

                output = graph.run(pixels, observe=record)
                return (output, score.scores(seen[score.slot]), *(seen[slot] for slot in wanted))

            self._forward[known] = self.compile(compute)
        output, scores, *features = self._forward[known](images)
        return ForwardPass(images, output, scores, dict(zip(known, features, strict=True)))

    def compiled(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the compiled function that is kept under a name; the first function of a name is kept."""
        if name not in self._compiled:
            self._compiled[name] = self.compile(function)
        return self._compiled[name]

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a compiled function; see `GradientBackend.compile`."""
        return self._backend.compile(function, self._variables, traceable=self._traceable)

    def differentiate(self, function: Callable[..., Any], inputs: Any) -> tuple[Any, ...]:
        """Return the gradients of the sum of the values of a function; see `GradientBackend.differentiate`."""
        if self._is_half:
            return differentiate_scaled(self._backend.differentiate, function, inputs)
        return self._backend.differentiate(function, inputs)


def _call_once(model: Any, images: np.ndarray) -> Any:
    output = model(images, training=False)
    if isinstance(output, list | tuple | dict) and len(output) != 1:
        raise ExplanationError(
            f"The model {model.name!r} has {len(output)} outputs; expected one array of class scores (n, classes). "
            "Make a keras.Model of that part."
        )
    return keras.tree.flatten(output)[0]


def _find_patches(tokens: FeatureMap) -> slice:
    start = tokens.prefix or 0
    return slice(start, start + tokens.shape[0] * tokens.shape[1])


def _tolerance(model: Any) -> tuple[float, float]:
    """Return the relative and absolute difference of two outputs of a model that rounding may cause."""
    precisions = _precisions(model)
    if "bfloat16" in precisions:
        return 5e-2, 5e-2
    return (1e-2, 1e-2) if "float16" in precisions else (1e-3, 1e-4)


def _precisions(model: Any) -> set[str]:
    return {str(layer.compute_dtype) for layer in flatten_layers(model)}


def _needs_check(graph: LayerGraph) -> bool:
    """Return whether repeating the recorded calls may differ from calling the model: not if all are those of Keras."""
    operations = [step.operation for step in graph.steps]
    return any(
        type(operation).__module__.split(".")[0] != "keras" or isinstance(operation, keras.layers.Lambda)
        for operation in operations
    )


def _to_float32(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor), dtype=np.float32)


def _registered_layer(model: Any) -> str | None:
    """Return the path of the layer that the registered backbone names for class activation maps, or None."""
    card = get_card(model)
    if card is None or card.backbone is None or card.backbone not in BACKBONES:
        return None
    layer = BACKBONES[card.backbone].last_convolution
    return None if layer is None else f"{find_backbone(model).name}/{layer}"
